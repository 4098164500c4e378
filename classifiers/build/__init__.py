"""How bundles are made: conversion, export, training, the card; needs the extra `train`."""
