"""Holds what Nix made of the configurations in cases.nix against what is expected, and packaging/ against that.

    check.py modules RESULTS [--write]    as `expected` has it; --write makes it so
    check.py agree                        packaging/ and the modules say the same
    check.py docs FOLDER                  what docs/INSTALL.md shows can be read; its blocks are written to FOLDER

It prints what holds, and stops at the first thing that does not.
"""

import json
import pathlib
import plistlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPECTED = ROOT / "nix" / "tests" / "expected"
PACKAGING = ROOT / "packaging"


def fail(why):
    sys.exit(f"packaging: {why}")


def holds(what):
    print(f"   {what}")


# ---- the modules


def rendered(case):
    """The files of a case, by name."""
    files = dict(case["files"])
    for name, job in case["jobs"].items():
        files[f"{name}.plist"] = plistlib.dumps(job).decode()
    files["beside.json"] = json.dumps(case["beside"], indent=2, sort_keys=True) + "\n"
    return files


def modules(results, write):
    results = json.loads(pathlib.Path(results).read_text())
    made = {}
    for name, case in results["good"].items():
        if case["refused"]:
            fail(f"{name} is refused: {case['refused']}")
        made |= {f"{name}/{file}": text for file, text in rendered(case).items()}
    there = {str(path.relative_to(EXPECTED)): path for path in EXPECTED.rglob("*") if path.is_file()}
    there.pop("flake.json", None)
    if write:
        for file in there.keys() - made.keys():
            there[file].unlink()
        for file, text in made.items():
            (EXPECTED / file).parent.mkdir(parents=True, exist_ok=True)
            (EXPECTED / file).write_text(text)
    else:
        for file in sorted(there.keys() | made.keys()):
            if file not in made:
                fail(f"{file} is expected, and the modules make no such file")
            if file not in there:
                fail(f"the modules make {file}, and nobody expects it: look at it, and run scripts/packaging --write")
            if there[file].read_text() != made[file]:
                fail(f"{file} is not as expected; it is now:\n{made[file]}")
    holds(f"{len(made)} files of {len(results['good'])} configurations are as expected")

    for name, case in results["bad"].items():
        refused = case["refused"]
        if len(refused) != 1 or case["words"] not in refused[0]:
            fail(f"{name} has to be refused once, with the words `{case['words']}`, and is: {refused}")
    holds(f"{len(results['bad'])} mistakes are refused, each by its own assertion")

    for name, case in results["mistyped"].items():
        if case["isMistaken"]:
            fail(f"{name} is of a wrong type, and is taken")
        if not case["isRight"]:
            fail(f"{name} is refused also without its mistake")
    holds(f"{len(results['mistyped'])} values of a wrong type are refused")

    # A file of settings that the program would not read is of no use.
    for path in EXPECTED.rglob("*.toml"):
        settings = tomllib.loads(path.read_text())
        if path.name == "agent.toml":
            known_to_the_agent(settings, path)
    holds("the files of settings are TOML, with keys that the agent knows")


def fields(structure):
    """The keys that the agent reads into a structure, as its source has them."""
    source = (ROOT / "compartment-transport-http/src/agent/config.rs").read_text()
    body = re.search(rf"struct {structure} \{{(.*?)\n\}}", source, re.DOTALL)
    if not body:
        fail(f"the agent's source has no structure {structure} any more: adapt nix/tests/check.py")
    return set(re.findall(r"^    (?:pub )?(\w+):", body[1], re.MULTILINE))


def known_to_the_agent(settings, where):
    for structure, table in [
        ("Raw", settings),
        ("RawHub", settings.get("hub", {})),
        ("Checkout", settings.get("checkout", {})),
    ]:
        unknown = table.keys() - fields(structure)
        if unknown:
            fail(f"{where}: the agent knows no {sorted(unknown)}")


# ---- packaging/ and the modules


def unit(path):
    """The lines of a unit file: pairs of key and value, by section."""
    sections, section = {}, None
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), [])
            continue
        key, value = line.split("=", 1)
        section.append((key, value))
    return sections


def values(section, key):
    return [value for found, value in section if found == key]


def same_but_for(packaged, module, exceptions, where):
    for section in packaged.keys() | module.keys():
        ours, theirs = (
            sorted(pair for pair in of.get(section, []) if pair[0] not in exceptions) for of in (packaged, module)
        )
        if ours != theirs:
            fail(
                f"{where} [{section}]: packaging/ says {sorted(set(ours) - set(theirs))}, "
                f"and the module {sorted(set(theirs) - set(ours))}"
            )


# What would give the agent a mount namespace or take privileges from it, and so break some switch.
SANDBOX = re.compile(
    r"(Protect|Private|ReadOnly|ReadWrite|Inaccessible|Exec(Paths)|NoExec|Bind|Temporary|Mount|Root|Capability|Ambient|"
    r"SystemCall|Restrict|NoNew|Lock|Memory|Dynamic|User|Group|UMask|RemoveIPC|Proc|IPC|Network|Device|Log(Namespace)|"
    r"Limit|Runtime|Extension|Keyring|Secure)"
)


def plist(path):
    """The keys and values of a plist."""
    try:
        return plistlib.loads(path.read_bytes())
    except Exception as error:
        fail(f"{path} is no plist: {error}")


def agree():
    hub, agent = (unit(PACKAGING / f"systemd/compartment-{name}.service") for name in ("hub", "agent"))
    nixos_hub, nixos_agent = (unit(EXPECTED / f"nixos-least/compartment-{name}.service") for name in ("hub", "agent"))
    # What differs because it is installed otherwise, and what only NixOS reads.
    differs = {"ExecStart", "Environment", "EnvironmentFile", "LoadCredential", "X-StopIfChanged"}
    for name, ours, theirs in [("hub", hub, nixos_hub), ("agent", agent, nixos_agent)]:
        same_but_for(ours, theirs, differs, f"compartment-{name}.service")
        our_start, their_start = (values(of["Service"], "ExecStart")[0].split() for of in (ours, theirs))
        if our_start[1:3] != their_start[1:3] or (name == "hub" and our_start[3] != their_start[3]):
            fail(f"compartment-{name}.service: ExecStart differs in more than its program: {our_start}, {their_start}")
        if values(theirs["Service"], "X-StopIfChanged") != ["false"]:
            fail(f"compartment-{name}.service: NixOS would stop it for the time of a switch")
        holds(f"compartment-{name}.service is the same in packaging/ and on NixOS")

    full = values(unit(EXPECTED / "nixos-hub/compartment-hub.service")["Service"], "LoadCredential")
    names = {value.split(":")[0] for value in full} - {"ssh-key"}
    ours = {value.split(":")[0] for value in values(hub["Service"], "LoadCredential")}
    if names != ours:
        fail(f"packaging/ hands the hub {sorted(ours)}, and NixOS {sorted(names)}")
    tokens = {value.split(":")[0] for of in (agent, nixos_agent) for value in values(of["Service"], "LoadCredential")}
    if tokens != {"token"}:
        fail(f"the agent's token is called {tokens}")
    holds("secrets have the same names in packaging/ and on NixOS")

    for where, service in [
        ("packaging/", agent),
        ("NixOS", nixos_agent),
        ("home-manager", unit(EXPECTED / "home-agent/compartment-agent.service")),
    ]:
        said = dict(service["Service"])
        for key, value in [("KillMode", "process"), ("Restart", "always"), ("OOMPolicy", "continue")]:
            if said.get(key) != value:
                fail(f"the agent of {where} has {key}={said.get(key)}, and operations would not outlive it")
        locks = [key for key in said if SANDBOX.match(key)]
        if locks:
            fail(f"the agent of {where} has {locks}, which some switch would trip over")
        if service["Unit"] and dict(service["Unit"]).get("StartLimitIntervalSec") != "0":
            fail(f"systemd would give up the agent of {where}")
    holds("operations outlive the agent wherever it is installed, and nothing locks it up")

    jobs = {
        f"{case}/{path.name}": plist(path)
        for case in ("darwin", "home-agent-darwin")
        for path in (EXPECTED / case).glob("*.plist")
    }
    for name in ("hub", "agent"):
        ours = plist(PACKAGING / f"launchd/compartment-{name}.plist")
        theirs = jobs[f"darwin/compartment-{name}.plist"]
        if ours["Label"] != f"compartment-{name}":
            fail(f"compartment-{name}.plist has the label {ours['Label']}")
        for key in (ours.keys() | theirs.keys()) - {"Label", "ProgramArguments", "EnvironmentVariables"}:
            if ours.get(key) != theirs.get(key):
                fail(
                    f"compartment-{name}.plist: {key} is {ours.get(key)} in packaging/, "
                    f"and {theirs.get(key)} by the module"
                )
        if ours["EnvironmentVariables"]["HOME"] != theirs["EnvironmentVariables"]["HOME"]:
            fail(f"compartment-{name}.plist: HOME differs")
        words, script = ours["ProgramArguments"][1:4], theirs["ProgramArguments"][2].split()
        shared = 3 if name == "hub" else 2
        start = script.index(name)
        if words[:shared] != script[start : start + shared]:
            fail(f"compartment-{name}.plist: it starts {words}, and that of the module {script}")
        holds(f"compartment-{name}.plist is the same in packaging/ and on nix-darwin")
    for name, job in jobs.items():
        if "agent" in name.split("/")[1] and not (job.get("AbandonProcessGroup") and job.get("KeepAlive")):
            fail(f"{name}: operations would not outlive the agent")


# ---- what the docs show


def docs(folder):
    """Reads the blocks of docs/INSTALL.md, and writes those that other programs check to a folder."""
    folder = pathlib.Path(folder)
    page = ROOT / "docs" / "INSTALL.md"
    text = page.read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    count = {}
    for kind, block in blocks:
        count[kind] = count.get(kind, 0) + 1
        (folder / f"{count[kind]}.{kind}").write_text(block)
        if kind == "toml":
            known_to_the_agent(tomllib.loads(block), page.name)
    for line, content in enumerate(text.splitlines(), 1):
        if len(content) > 120 and not content.startswith("|"):
            fail(f"{page.name}:{line} is longer than 120 columns")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    headings = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", text):
        if target and "://" not in target and not (page.parent / target).exists():
            fail(f"{page.name} leads to {target}, which is not there")
    for anchor in re.findall(r"\]\(#([^)]*)\)", text):
        if anchor not in headings:
            fail(f"{page.name} leads to #{anchor}, which is not there")
    # What it has people install is there.
    for path in re.findall(r"\bpackaging/[\w./-]*\w", text):
        if not (ROOT / path).exists():
            fail(f"{page.name} names {path}, which is not there")
    holds(f"docs/INSTALL.md: {', '.join(f'{number} blocks of {kind}' for kind, number in sorted(count.items()))}")


match sys.argv[1:]:
    case ["modules", results, *options]:
        modules(results, "--write" in options)
    case ["agree"]:
        agree()
    case ["docs", folder]:
        docs(folder)
    case _:
        sys.exit(__doc__)
