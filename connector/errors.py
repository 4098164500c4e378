"""Errors named after what happens next; each one's docstring is its message: cause and remedy."""

import inspect
from collections.abc import Sequence

EXIT_FAILED = 1
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: systemd shows it by name


class TriagedError(Exception):
    """Something that triaged foresaw went wrong."""

    exit_code = EXIT_FAILED

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    @classmethod
    def remedy(cls) -> str:
        """Give the class's cause and remedy as one paragraph."""
        return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())

    def __str__(self) -> str:
        return f"{self.detail}. {self.remedy()}" if self.detail else self.remedy()


class Retry(TriagedError):
    """The desk cannot answer now (down, overloaded or limiting calls). triaged tries again by
    itself; if this lasts, check the desk's address and status page.

    `after` is the number of seconds that the desk asked us to stay away, `None` when it named
    none. The whole tenant pauses, not only this ticket.
    """

    def __init__(self, detail: str = "", *, after: float | None = None) -> None:
        super().__init__(detail)
        self.after = after


class Unauthorized(TriagedError):
    """The desk refused our credential. The tenant is paused: store a valid credential under the
    secret's name and restart; `triaged check --online` tells whether it works.
    """


class Conflict(TriagedError):
    """Somebody changed the ticket between our read and our write. triaged reads it again and
    writes what nobody has contradicted, at most three times at once, and later otherwise.
    """


class Rejected(TriagedError):
    """The desk refused the request and would refuse it again. The ticket is set aside: compare
    the mapped fields and the account's rights with `triaged check --online`.
    """


class Gone(TriagedError):
    """The ticket no longer exists on the desk, or our account may not see it. Nothing is left to
    do for it.
    """


class Forged(TriagedError):
    """A webhook's signature, time or delivery id was not right and the call was refused. If it
    came from your desk, compare the webhook secret on both sides and this machine's clock.
    """


class Unreadable(TriagedError):
    """A webhook was rightly signed but names no ticket. It is kept as held; give the webhook the
    body that the platform's how-to shows.
    """


class ConfigError(TriagedError):
    """The configuration cannot be used. Mend the named places; nothing was started or changed.

    `problems` lists every place at once as `file:line:column: path: what is wrong and the remedy`.
    """

    exit_code = EXIT_CONFIG

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))

    def __str__(self) -> str:
        return self.detail


class SecretMissing(ConfigError):
    """A secret that the configuration names cannot be read. Store it with `triaged secret set
    NAME`, as the same user, or give it to the service as a systemd credential of that name.
    """

    def __str__(self) -> str:
        return f"{self.detail}. {self.remedy()}"


class NamesTaken(TriagedError):
    """Another package stands under a name of triaged's own (`adapters`, `classifiers`,
    `connector`), and nothing was started. Install triaged into a virtual environment of its own,
    and start it without such a folder in PYTHONPATH or, by `python -m connector`, around you.
    """

    exit_code = EXIT_CONFIG


class SecretNotStored(TriagedError):
    """A secret was not stored, for it would not be safe. On a server run `triaged secret` as root
    with systemd 250 or later, on a desktop with its keyring unlocked. In a container, give each
    secret as a file of its name, and the folder in the variable CREDENTIALS_DIRECTORY.
    """


class BadBundle(TriagedError):
    """A model bundle is incomplete, damaged or of an unknown format and was not loaded. Reinstall
    triaged for the shipped bundle, or build yours again with `triaged models build`.
    """


class Unsigned(BadBundle):
    """A bundle carries no signature of a key under `models.trusted_keys`, and is not taken. Sign it
    with `triaged models sign`, or take one that is signed.
    """


class Diverging(BadBundle):
    """A bundle does not answer its own golden tickets here as it did when it was made, so nothing
    that was measured holds, and it does not serve. Train or build it on this kind of machine with
    these versions of onnxruntime, tokenizers and triaged, or go back to those it was made with.
    """


class NothingToServe(BadBundle):
    """None of a bundle's promoted versions can serve, and the daemon does not start without it.
    Promote a good one with `triaged models promote FOLDER`, or take `bundle:` out of the tenants'
    files.
    """


class AnswersMoved(TriagedError):
    """The bundle answers otherwise than the one that serves, which goes on serving. Look at each
    move; if that is what you want, promote it again with `--accept-changes`.
    """


class VersionTaken(TriagedError):
    """Another bundle of that name and version is on the shelf already, and a version is never
    overwritten. Make the new one under another name or version, or promote the one that is there.
    """


class NoSuchBundle(TriagedError):
    """The shelf holds no such bundle. `triaged models list` shows what is there;
    `triaged models promote FOLDER` puts a bundle on it.
    """


class NoEarlierBundle(TriagedError):
    """There is nothing to go back to, and nothing was changed. Promote the version that should
    serve: `triaged models promote NAME@VERSION`.
    """


class ShelfUnusable(TriagedError):
    """The shelf of bundles cannot be read or written. Check `models.directory`, that its files are
    as triaged wrote them, and that you may write there; promoting needs the space of one bundle.
    """


class BadHistory(TriagedError):
    """The history cannot be used; nothing was written. Mend the named file, row or option, and
    start again: what was finished is kept.
    """


class TrainingUnavailable(TriagedError):
    """Learning and measuring need libraries that serving does without. Install them with
    `pip install 'triaged[train]'`.
    """


class StateInUse(TriagedError):
    """Another triaged process owns this state directory. Stop it first, or give this one a
    directory of its own with `state:` in triaged.yaml.
    """


class StateUnusable(TriagedError):
    """The state directory or its database cannot be used. Check that the directory exists, that
    the service's user may write there, and that the disk is neither full nor damaged.
    """


class StateDamaged(StateUnusable):
    """The database's file is damaged. A start puts the last good copy in its place, where there is
    one. Where not, look after the disk, and then restore a backup of yours, or move the state
    directory's content away to begin anew, as "Back up and restore" says.
    """
