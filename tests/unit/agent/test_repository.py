"""REPO= on the kernel command line: from the word to the files that yum reads."""

import configparser
from pathlib import Path

import pytest

from bootos.agent.host.cmdline import parse_cmdline
from bootos.agent.host.repository import write_repositories
from bootos.repository import build_repo_file, find_url_fault


def read_repos(root: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted((root / "etc/yum.repos.d").iterdir()):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(path.read_text())
        found |= {name: dict(parser[name]) for name in parser.sections()}
    return found


def test_each_address_of_the_word_becomes_a_repository(tmp_path: Path) -> None:
    words = parse_cmdline(
        "REPO=http://10.0.0.1/hw,https://user:pass@repo.example/el9/ SERVER_ADDR=http://10.0.0.1"
    )
    assert words.problems == ()
    write_repositories(words.repositories, tmp_path)
    repos = read_repos(tmp_path)
    assert {name: repo["baseurl"] for name, repo in repos.items()} == {
        "cmdline-1": "http://10.0.0.1/hw",
        "cmdline-2": "https://user:pass@repo.example/el9/",
    }
    assert all(repo["gpgcheck"] == "0" and repo["enabled"] == "1" for repo in repos.values())
    assert (tmp_path / "etc/yum.repos.d/cmdline-2.repo").stat().st_mode & 0o77 == 0, "it holds a password"


def test_a_repo_file_is_fetched_and_taken_as_it_is(tmp_path: Path) -> None:
    text = build_repo_file("vendor", "http://10.0.0.1/vendor", gpgkey="http://10.0.0.1/key")
    (tmp_path / "vendor.repo").write_text(text)
    write_repositories([f"file://{tmp_path}/vendor.repo"], tmp_path / "root")
    assert read_repos(tmp_path / "root")["vendor"]["gpgcheck"] == "1"


def test_a_repo_file_that_cannot_be_had_is_said_and_the_others_are_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "page.repo").write_text("<html>not found</html>")
    urls = [f"file://{tmp_path}/none.repo", f"file://{tmp_path}/page.repo", "http://10.0.0.1/hw"]
    written = write_repositories(urls, tmp_path / "root", pauses_s=())
    assert [path.name for path in written] == ["cmdline-3.repo"]
    assert "none.repo cannot be read" in caplog.text
    assert "page.repo is not a .repo file" in caplog.text


@pytest.mark.parametrize("url", ["10.0.0.1/hw", "nfs://a/b", "http://", "http:///hw", "file://"])
def test_an_address_that_cannot_be_one_is_a_problem_that_does_not_show_it(url: str) -> None:
    words = parse_cmdline(f"REPO=http://10.0.0.1/hw,{url} SERVER_ADDR=http://10.0.0.1")
    assert words.repositories == ("http://10.0.0.1/hw",)
    assert [problem.path for problem in words.problems] == ["REPO"]
    assert "number 2" in words.problems[0].message
    assert find_url_fault(url) is not None
