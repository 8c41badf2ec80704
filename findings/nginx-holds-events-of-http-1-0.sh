#!/usr/bin/env bash
# What one would expect: "proxy_buffering", which is on, decides whether nginx holds back a stream of events (SSE). The
# version of HTTP that nginx speaks to the server behind it decides about keeping connections.
#
# What happens: with buffering on, HTTP/1.0, which is nginx's own default, holds back every event until the stream
# ends, and even the status line. HTTP/1.1, with buffering on as before, passes each event on at once. The difference
# is how the body comes: HTTP/1.1 sends it in chunks, and nginx passes each chunk on. Over HTTP/1.0 there are none, and
# nginx waits for a full buffer.
#
# Why it matters: a matrix behind nginx stays as it was at the first look, and nothing says so. And a test behind
# nginx proves nothing for others if its settings happen to have "proxy_http_version 1.1", as those for WebSockets
# always have: without that line nothing arrives. A program finds out only when it waits for a word of a live stream.
#
# Seen on 2026-12-01 with nginx 1.22.1-9+deb12u11 of Debian 12:
#
#   nothing set:                    held back until the end
#   proxy_http_version 1.1:         passed on at once
#   proxy_buffering off:            passed on at once
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

folder=$(mktemp -d)
trap 'jobs -p | xargs -r kill 2> /dev/null; wait; rm -rf "$folder"' EXIT
cd "$folder"

# Without nginx, the Debian packages of it are unpacked here, with what they need and is not installed.
nginx=/usr/sbin/nginx
[[ -x $nginx ]] || (
    mkdir packages
    cd packages
    apt-get -qq --simulate --no-install-recommends install nginx-light | awk '/^Inst/ { print $2 }' |
        xargs apt-get -qq -o APT::Sandbox::User= download
    for package in *.deb; do dpkg-deb -x "$package" ../root; done
) || { echo "cannot get the Debian package nginx-light" >&2; exit 2; }
if [[ -d root ]]; then
    nginx=$folder/root/usr/sbin/nginx
    LD_LIBRARY_PATH=$(echo "$folder"/root/usr/lib/*-linux-gnu)
    export LD_LIBRARY_PATH
fi
"$nginx" -v 2>&1

# Sends one event, and then another that says whether somebody has seen the first meanwhile.
cat > server.py << 'EOF'
import http.server, os, time

class Events(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.chunked = self.request_version == "HTTP/1.1"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header(*(("Transfer-Encoding", "chunked") if self.chunked else ("Connection", "close")))
        self.end_headers()
        self.send(b"data: first\n\n")
        limit = time.monotonic() + 3
        while not os.path.exists("seen") and time.monotonic() < limit:
            time.sleep(0.02)
        self.send(b"data: passed on at once\n\n" if os.path.exists("seen") else b"data: held back until the end\n\n")
        if self.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def send(self, event):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event) if self.chunked else event)

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Events)
with open("port.new", "w") as port:
    print(server.server_port, file=port)
os.rename("port.new", "port")
server.serve_forever()
EOF
python3 server.py &
within() {
    for _ in {1..200}; do "$@" && return; sleep 0.05; done
    echo "this did not come: $*" >&2
    exit 2
}
within test -s port

place() { echo "server { listen unix:$folder/$1; location / { $2 proxy_pass http://127.0.0.1:$(< port); } }"; }
{
    echo "daemon off; master_process off; pid $folder/pid; events {} http { access_log off;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $folder/$kind;"; done
    place plain ''
    place version 'proxy_http_version 1.1;'
    place buffering 'proxy_buffering off;'
    echo '}'
} > nginx.conf
"$nginx" -p "$folder" -e "$folder/errors" -c "$folder/nginx.conf" &
within test -S buffering

look() {
    rm -f seen
    curl --silent --no-buffer --max-time 20 --unix-socket "$1" http://events/ | while read -r line; do
        case $line in
            'data: first') : > seen ;;
            'data: '*) echo "${line#data: }" ;;
        esac
    done
}

held='held back until the end' passed='passed on at once'
says=$(look plain)
echo "nothing set:                    $says"
[[ $says == "$held" ]] || changed "events pass without any setting"
says=$(look version)
echo "proxy_http_version 1.1:         $says"
[[ $says == "$passed" ]] || changed "HTTP/1.1 does not make events pass"
says=$(look buffering)
echo "proxy_buffering off:            $says"
[[ $says == "$passed" ]] || changed "events do not pass without buffering"
