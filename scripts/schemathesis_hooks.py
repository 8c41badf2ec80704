"""How schemathesis writes and reads what it does not know."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    """A batch of reports: now and then lines that are some."""
    text = value if isinstance(value, str) else str(value)
    report = '{"host":"gpc0","type":"pull-ok","commit":"abc1234"}'
    return (report + "\n" + text).encode("utf-8", "replace")
