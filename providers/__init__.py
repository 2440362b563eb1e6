"""Adapters to CI servers. One public module is one kind; the file name is the value of `kind` in config.yaml."""

from providers._charset import spare_the_detector

spare_the_detector()
