"""The functions in docs/reference/signing-image-links.md, taken out of the page and run against the vectors."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REFERENCE = Path(__file__).parents[3] / "docs/reference"
PAGE = (REFERENCE / "signing-image-links.md").read_text(encoding="utf-8")
VECTORS: dict[str, Any] = json.loads((REFERENCE / "image-link-vectors.json").read_text(encoding="utf-8"))
WANTED = [vector["link"] for vector in VECTORS["links"]]

# Each harness reads one vector a line, fields separated by tabs: the kind of the key and the expiry, and then in
# hexadecimal the key's id and secret, the path, and names and values in turn. It prints the link.
PYTHON = """
import sys
from example import s3_link_key, sign_image_link
for line in sys.stdin:
    kind, expires, *fields = line.rstrip("\\n").split("\\t")
    key_id, secret, path, *rest = [bytes.fromhex(field).decode() for field in fields]
    key = s3_link_key(secret) if kind == "s3" else secret.encode()
    print(sign_image_link(path, list(zip(rest[::2], rest[1::2])), key_id, key, int(expires)))
"""
JAVASCRIPT = """
import { readFileSync } from "node:fs";
import { s3LinkKey, signImageLink } from "./example.mjs";
for (const line of readFileSync(0, "utf8").trimEnd().split("\\n")) {
  const [kind, expires, ...fields] = line.split("\\t");
  const [keyId, secret, path, ...rest] = fields.map((field) => Buffer.from(field, "hex").toString("utf8"));
  const pairs = [];
  for (let i = 0; i < rest.length; i += 2) pairs.push([rest[i], rest[i + 1]]);
  const key = kind === "s3" ? s3LinkKey(secret) : Buffer.from(secret, "utf8");
  console.log(signImageLink(path, pairs, keyId, key, Number(expires)));
}
"""
GO = """
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"example/pixgate"
)

func main() {
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		fields := strings.Split(scanner.Text(), "\\t")
		expires, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			panic(err)
		}
		var texts []string
		for _, field := range fields[2:] {
			text, err := hex.DecodeString(field)
			if err != nil {
				panic(err)
			}
			texts = append(texts, string(text))
		}
		key := []byte(texts[1])
		if fields[0] == "s3" {
			key = pixgate.S3LinkKey(texts[1])
		}
		var parameters []pixgate.Parameter
		for i := 3; i < len(texts); i += 2 {
			parameters = append(parameters, pixgate.Parameter{Name: texts[i], Value: texts[i+1]})
		}
		fmt.Println(pixgate.SignImageLink(texts[2], parameters, texts[0], key, expires))
	}
}
"""
JAVA = """
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

public final class Main {
    public static void main(String[] arguments) throws Exception {
        BufferedReader reader = new BufferedReader(new InputStreamReader(System.in, UTF_8));
        PrintStream out = new PrintStream(System.out, true, UTF_8);
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
            String[] fields = line.split("\\t", -1);
            List<String> texts = new ArrayList<>();
            for (int i = 2; i < fields.length; i++) {
                texts.add(new String(HexFormat.of().parseHex(fields[i]), UTF_8));
            }
            String secret = texts.get(1);
            byte[] key = fields[0].equals("s3") ? PixgateLinks.s3LinkKey(secret) : secret.getBytes(UTF_8);
            List<Map.Entry<String, String>> parameters = new ArrayList<>();
            for (int i = 3; i < texts.size(); i += 2) {
                parameters.add(Map.entry(texts.get(i), texts.get(i + 1)));
            }
            long expires = Long.parseLong(fields[1]);
            out.println(PixgateLinks.signImageLink(texts.get(2), parameters, texts.get(0), key, expires));
        }
    }
}
"""
PHP = """<?php
require __DIR__ . '/example.php';
foreach (explode("\\n", rtrim(stream_get_contents(STDIN), "\\n")) as $line) {
    $fields = explode("\\t", $line);
    [$kind, $expires] = $fields;
    $texts = array_map('hex2bin', array_slice($fields, 2));
    [$keyId, $secret, $path] = $texts;
    $key = $kind === 's3' ? s3_link_key($secret) : $secret;
    echo sign_image_link($path, array_chunk(array_slice($texts, 3), 2), $keyId, $key, (int) $expires), "\\n";
}
"""


def example(language: str) -> str:
    """The one code block of the page in this language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"{len(blocks)} blocks of {language}"
    return str(blocks[0])


def vector_lines() -> str:
    keys = {key["id"]: key for key in VECTORS["keys"]}
    lines = []
    for vector in VECTORS["links"]:
        key = keys[vector["key_id"]]
        texts = [key["id"], key["secret"], vector["path"], *(text for pair in vector["parameters"] for text in pair)]
        fields = [key["kind"], str(vector["expires"]), *(text.encode().hex() for text in texts)]
        lines.append("\t".join(fields) + "\n")
    return "".join(lines)


def toolchain(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH")
    return found


def run(folder: Path, *command: str, text: str = "") -> list[str]:
    done = subprocess.run(
        command,
        cwd=folder,
        input=text,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        env=os.environ | {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text.lstrip("\n"), encoding="utf-8")


def test_python(tmp_path: Path) -> None:
    write(tmp_path, example__py=example("python"), main__py=PYTHON)
    assert run(tmp_path, sys.executable, "main.py", text=vector_lines()) == WANTED


def test_javascript(tmp_path: Path) -> None:
    node = toolchain("node")
    write(tmp_path, example__mjs=example("javascript"), main__mjs=JAVASCRIPT)
    assert run(tmp_path, node, "main.mjs", text=vector_lines()) == WANTED


@pytest.mark.long
def test_go(tmp_path: Path) -> None:
    go = toolchain("go")
    (tmp_path / "pixgate").mkdir()
    write(tmp_path / "pixgate", link__go=example("go"))
    write(tmp_path, main__go=GO, go__mod="module example\n\ngo 1.21\n")
    assert run(tmp_path, go, "run", ".", text=vector_lines()) == WANTED


@pytest.mark.long
def test_java(tmp_path: Path) -> None:
    javac, java = toolchain("javac"), toolchain("java")
    write(tmp_path, PixgateLinks__java=example("java"), Main__java=JAVA)
    run(tmp_path, javac, "-encoding", "UTF-8", "PixgateLinks.java", "Main.java")
    assert run(tmp_path, java, "-cp", str(tmp_path), "Main", text=vector_lines()) == WANTED


def test_php(tmp_path: Path) -> None:
    php = toolchain("php")
    write(tmp_path, example__php=example("php"), main__php=PHP)
    assert run(tmp_path, php, "main.php", text=vector_lines()) == WANTED


def test_page_tells_the_first_vector_and_the_counts() -> None:
    first = VECTORS["links"][0]
    third_line = first["string_to_sign"].split("\n")[2]
    secret = next(key["secret"] for key in VECTORS["keys"] if key["id"] == first["key_id"])
    for text in (first["path"], third_line, first["link"].rpartition("=")[2], secret):
        assert f"`{text}`" in PAGE
    assert f"{len(VECTORS['links'])} links" in PAGE
    assert f"{len(VECTORS['refused'])} links" in PAGE
