"""Downloads: whole and checked, or not at all. The server is this process."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chainrule import data
from chainrule.data.download import Remote, default_folder, fetched

CONTENT = bytes(range(256)) * 5000  # more than one piece
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        if not self.path.startswith("/nolength"):
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if "cut" in self.path else CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked = []
    made.address = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.parametrize("name", ["file.bin", "nolength.bin"])
def test_a_file_is_downloaded_once(server, tmp_path, name):
    remote = Remote(f"{server.address}/{name}", DIGEST)
    for _ in range(2):
        path = fetched(remote, tmp_path / "new" / "deep")
        assert path == tmp_path / "new" / "deep" / name
        assert path.read_bytes() == CONTENT
    assert server.asked == [f"/{name}"]
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_a_damaged_file_is_downloaded_again(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1])
    assert fetched(Remote(f"{server.address}/file.bin", DIGEST), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "digest", "message"),
    [
        ("missing.bin", DIGEST, r"missing\.bin could not be downloaded \(Not Found\): you can also put the file into "),
        ("cut.bin", DIGEST, r"could not be downloaded \(.*bytes"),
        ("nolength-cut.bin", DIGEST, r"is not the file that was published: its SHA-256 is"),
        ("file.bin", "0" * 64, rf"its SHA-256 is {DIGEST} and not 0000"),
    ],
)
def test_what_is_not_the_published_file_leaves_nothing(server, tmp_path, name, digest, message):
    with pytest.raises(data.DownloadError, match=message):
        fetched(Remote(f"{server.address}/{name}", digest), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_stood_there_is_kept_until_there_is_a_whole_one(server, tmp_path):
    (tmp_path / "cut.bin").write_bytes(b"older")
    with pytest.raises(data.DownloadError):
        fetched(Remote(f"{server.address}/cut.bin", DIGEST), tmp_path)
    assert (tmp_path / "cut.bin").read_bytes() == b"older"


def test_without_a_network_it_is_told_where_to_put_the_file(tmp_path, monkeypatch):
    def refused(*args, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refused)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(data.DownloadError, match=r"could not be downloaded \(Name or service not known\)") as told:
        data.mnist()
    assert str(tmp_path / "chainrule" / "data" / "mnist") in str(told.value)
    assert isinstance(told.value, OSError)
    assert default_folder("mnist") == tmp_path / "chainrule" / "data" / "mnist"
