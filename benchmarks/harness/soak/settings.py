"""The gateway's settings of a soak: every time-out so short that it is reached many times in minutes, not days. Seconds."""

LIMITS = {"headerTimeout": 2, "bodyTimeout": 3, "idleTimeout": 4, "writeTimeout": 3}
SESSIONS = {"timeToLive": 20, "sweepInterval": 1, "idleEviction": 4}
GATEWAY = {
    "limits": LIMITS, "sessions": SESSIONS,
    "streams": {"keepAlive": 1, "eventsKeepAlive": 1, "retention": 10, "firstEventWait": "50ms", "slowReaderBuffer": "256KiB"},
    "log": {"level": "warning"},
}
