"""One graph out of two that share their lower layers: one pass gives the outputs of both."""

from collections.abc import Iterator

import onnx

from classifiers.build.export import end_of_layer
from connector.errors import BadBundle


def splice(trunk: bytes, top: bytes, *, shared: int, output: str) -> bytes:
    """Add `output` of `top` to `trunk`; its lowest `shared` layers are taken from there.

    Both are graphs that `export` wrote. What `output` needs above those layers comes along, under
    names of its own, and reads what the trunk's layer gives. Raises `BadBundle` when the two do not
    fit, or the trunk has that output already.
    """
    whole, other = onnx.load_from_string(trunk), onnx.load_from_string(top)
    meeting = end_of_layer(shared - 1)
    if not any(meeting in node.output for node in whole.graph.node):
        raise BadBundle(f"the encoder has no layer {shared} to build upon")
    if any(one.name == output for one in whole.graph.output):
        raise BadBundle(f"the encoder has an output {output} already")
    needed = list(_needed(other.graph, output, meeting))
    made = {name for node in needed for name in node.output}
    stored = {tensor.name: tensor for tensor in other.graph.initializer}
    used = {name for node in needed for name in node.input if name in stored}

    def own(name: str) -> str:
        return f"{output}/{name}" if name != output and (name in made or name in used) else name

    for node in needed:
        renamed = onnx.NodeProto()
        renamed.CopyFrom(node)
        renamed.name = own(node.name)
        renamed.input[:] = [own(name) for name in node.input]
        renamed.output[:] = [own(name) for name in node.output]
        whole.graph.node.append(renamed)
    for name in sorted(used):
        tensor = onnx.TensorProto()
        tensor.CopyFrom(stored[name])
        tensor.name = own(name)
        whole.graph.initializer.append(tensor)
    whole.graph.output.extend(one for one in other.graph.output if one.name == output)
    return bytes(whole.SerializeToString())


def _needed(graph: onnx.GraphProto, output: str, meeting: str) -> Iterator[onnx.NodeProto]:
    """Give the nodes that `output` needs above `meeting`, in the order in which they run."""
    makers = {name: node for node in graph.node for name in node.output}
    wanted, found = [output], set()
    while wanted:
        name = wanted.pop()
        if name == meeting or name not in makers or name in found:
            continue
        found.update(makers[name].output)
        wanted += makers[name].input
    return (node for node in graph.node if found & set(node.output))
