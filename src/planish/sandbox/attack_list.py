"""What hostile verifiers try. One passes a text only where its attack came through."""

from typing import NamedTuple


class Attack(NamedTuple):
    """A verifier and what it tries. `SECRET` (a file), `FOLDER`, `PORT` and `VARIABLE` stand for the host's own."""

    name: str
    tries: str
    source: str


def _attack(name: str, tries: str, body: str, top: str = "import os, sys") -> Attack:
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return Attack(name, tries, f"{top}\ndef evaluate(response):\n{lines}\n")


TIME = [
    _attack("loop", "never to end", "while True: pass"),
    _attack(
        "stubborn-loop",
        "never to end, and to catch whatever would end it",
        """
while True:
    try:
        while True: pass
    except BaseException:
        pass""",
    ),
    _attack(
        "deaf-loop",
        "never to end, deaf to signals",
        """
try:
    import signal
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
except ImportError: pass
while True: pass""",
    ),
    _attack("loading-loop", "never to end while it is loaded", "return True", "while True: pass"),
    _attack("big-number", "one long computation", "return str(7 ** 10 ** 8) == ''", "import sys"),
    _attack("redos", "a pattern of exponential time", "return bool(re.match('(a+)+$', 'a' * 60 + 'b'))", "import re"),
    _attack("endless-print", "to print without end", "while True: print('x' * 1_000_000)"),
    _attack(
        "deadlock",
        "to wait for ever",
        """
lock = threading.Lock()
lock.acquire()
lock.acquire()
return True""",
        "import threading",
    ),
    _attack(
        "hanging-thread",
        "to leave a thread that never ends",
        """
def hang():
    while True: pass
threading.Thread(target=hang, daemon=False).start()
return False""",
        "import threading",
    ),
    _attack(
        "clock",
        "to act by the time",
        """
seen = time.time(), time.perf_counter(), datetime.datetime.now()
sum(range(100_000))
return seen != (time.time(), time.perf_counter(), datetime.datetime.now())""",
        "import datetime, time",
    ),
]

MEMORY = [
    _attack("memory", "to hold 2 GiB at once", "return len(b'x' * (2 << 30)) > 0"),
    _attack(
        "memory-loop",
        "to hold 2 GiB little by little",
        """
kept = []
while len(kept) < 2048: kept.append(b'x' * (1 << 20))
return True""",
    ),
    _attack(
        "stubborn-memory",
        "to hold all memory, and to catch whatever says no",
        """
kept = []
while len(kept) < 2048:
    try:
        while len(kept) < 2048: kept.append(b'x' * (1 << 20))
    except BaseException:
        pass
return True""",
    ),
    _attack(
        "raised-memory",
        "to raise its limit, then to hold 2 GiB",
        """
import resource
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
return len(b'x' * (2 << 30)) > 0""",
    ),
    _attack("large-answer", "to answer with 300 MB", "return 'x' * 300_000_000"),
    _attack("large-error", "to fail with 100 MB", "raise ValueError('x' * 100_000_000)"),
]

STACK = [
    _attack("recursion", "to recurse without end", "return evaluate(response)"),
    _attack(
        "raised-recursion",
        "to recurse without end and without Python's limit",
        "return evaluate(response)",
        "import sys\nsys.setrecursionlimit(10 ** 9)",
    ),
    _attack(
        "native-recursion",
        "to recurse without end in native code",
        "return Endless().start",
        "import sys\nsys.setrecursionlimit(10 ** 9)\n"
        "class Endless:\n    def __getattr__(self, name): return getattr(self, name + 'x')",
    ),
    _attack("parser-bomb", "to break the parser", "return eval('(' * 100_000 + ')' * 100_000) == ()"),
]

PROCESSES = [
    _attack(
        "forks",
        "to fork sixty times",
        """
made = 0
for _ in range(60):
    try: child = os.fork()
    except OSError: break
    if not child: os._exit(0)
    made += 1
return made > 0""",
    ),
    _attack(
        "daemon",
        "to leave a process in a session of its own",
        """
if not os.fork():
    os.setsid()
    os.closerange(0, 256)
    select.select([], [], [], 60)
    os._exit(0)
return True""",
        "import os, select",
    ),
    _attack("kill-parent", "to kill what started it", "os.kill(os.getppid(), 9)\nreturn True"),
    _attack("subprocess", "to start a program", "return subprocess.run(['true']).returncode == 0", "import subprocess"),
    _attack("shell", "to start a shell", "return os.system('true') == 0"),
    _attack("replace", "to become another program", "os.execv('/bin/sh', ['sh', '-c', 'kill -9 $PPID'])"),
    _attack(
        "native-calls",
        "to call the system past Python",
        """
library = ctypes.CDLL(None)
return library.open(b'SECRET', 0) >= 0 or library.fork() > 0""",
        "import ctypes",
    ),
]

FILES = [
    _attack("passwords", "to read the list of users", "return 'root' in open('/etc/passwd').read()"),
    _attack("read", "to read a file of the user's", "return len(open(r'SECRET').read()) > 0"),
    _attack("list", "to list the files of the machine", "return len(os.listdir('/')) > 0"),
    _attack("write", "to write a file", "return open(os.path.join(r'FOLDER', 'written'), 'w').write('x') > 0"),
    _attack("remove", "to remove a file of the user's", "os.remove(r'SECRET')\nreturn True"),
    _attack("link", "to link to a file", "os.symlink(r'SECRET', os.path.join(r'FOLDER', 'link'))\nreturn True"),
    _attack(
        "raw-memory",
        "to write to the memory of a process",
        """
for process in ('self', os.getppid()):
    try: return os.open(f'/proc/{process}/mem', os.O_RDWR) >= 0
    except OSError: pass
return False""",
    ),
    _attack(
        "frames",
        "to find a way to files in the frames below it",
        """
frame = sys._getframe()
while frame:
    for known in (*frame.f_globals.values(), *frame.f_locals.values(), *frame.f_builtins.values()):
        for name in ('open', 'FileIO', 'open_code'):
            try: return len(getattr(known, name)(r'SECRET').read()) > 0
            except Exception: pass
    frame = frame.f_back
return False""",
    ),
    _attack(
        "subclasses",
        "to find a way to files among all classes",
        """
for known in object.__subclasses__():
    for way in (lambda: known('a', r'SECRET').get_data(r'SECRET'),
                lambda: known.__init__.__globals__['open'](r'SECRET').read(),
                lambda: known.__init__.__globals__['sys'].modules['posix'].open(r'SECRET', 0) + 1):
        try:
            if way(): return True
        except BaseException: pass
return False""",
    ),
]

HOST = [
    _attack(
        "connect",
        "to reach the network",
        "socket.create_connection(('127.0.0.1', PORT), 1)\nreturn True",
        "import socket",
    ),
    _attack(
        "datagram",
        "to send to the network",
        "return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT)) > 0",
        "import socket",
    ),
    _attack(
        "environment",
        "to find a secret in the environment",
        """
if 'VARIABLE' in os.environ: return True
for process in ('self', os.getppid()):
    try:
        if b'VARIABLE' in open(f'/proc/{process}/environ', 'rb').read(): return True
    except OSError: pass
return False""",
    ),
]

VERDICTS = [
    _attack("exit", "to end the process in good order", "sys.exit(0)"),
    _attack("hard-exit", "to end the process at once", "os._exit(0)"),
    _attack("interrupt", "to be taken for Ctrl+C", "raise KeyboardInterrupt"),
    _attack(
        "equal-to-all",
        "to be taken for a verdict",
        "return Yes('true')",
        "class Yes(str):\n    __hash__ = str.__hash__\n    def __eq__(self, other): return True\n"
        "    def __bool__(self): return True\n    def strip(self): return 'true'",
    ),
    _attack("broken-text", "to fail with what cannot be written down", r"raise ValueError('\ud800' * 1000)"),
    _attack(
        "broken-error",
        "to fail while its failure is described",
        "raise Broken",
        "class Broken(Exception):\n    def __str__(self): raise SystemExit(0)",
    ),
    _attack(
        "forged-reply",
        "to reply in its judge's place, on whatever is open",
        """
answers = '[["pass", "", false]]'
for forged in (answers, '{"nonce": "", "answers": ' + answers + '}'):
    for written in (forged.encode() + b'\\n', len(forged).to_bytes(4, 'little') + forged.encode()):
        for number in range(256):
            try: os.write(number, written)
            except OSError: pass
return False""",
    ),
    _attack(
        "patches",
        "to change Python for the verifiers after it",
        """
for name in ('len', 'isinstance', 'type', 'exec', 'compile'):
    setattr(builtins, name, None)
sys.modules.clear()
return False""",
        "import builtins, sys",
    ),
]

ATTACKS = [*TIME, *MEMORY, *STACK, *PROCESSES, *FILES, *HOST, *VERDICTS]
