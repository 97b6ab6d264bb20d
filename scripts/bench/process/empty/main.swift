// A Swift program that does nothing: what every one takes, before it connects to anything.

import Status

Status.requireIdle()
Status.report("empty")
