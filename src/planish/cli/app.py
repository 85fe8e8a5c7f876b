"""The verbs, gathered. Nothing heavy is imported before a verb runs."""

import typer

from planish.cli.antislop import AntislopFlags, antislop
from planish.cli.autoif import AutoifFlags, autoif
from planish.cli.bans import bans
from planish.cli.bench import BenchFlags, bench
from planish.cli.chat import ChatFlags, chat
from planish.cli.check import check
from planish.cli.command import add_verb
from planish.cli.condition import condition
from planish.cli.demo import demo
from planish.cli.diff import diff
from planish.cli.find import FindFlags, find
from planish.cli.generate import GenerateFlags, generate
from planish.cli.ls import ls
from planish.cli.profile import profile
from planish.cli.prove import prove
from planish.cli.rectify import rectify
from planish.cli.resume import resume
from planish.cli.serve import ServeFlags, serve
from planish.cli.train import TrainFlags, train
from planish.cli.verb import recipe_verb

app = typer.Typer(
    name="planish",
    help="Find what a language model does too much, steer it while it writes, train it out, and prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(demo)
add_verb(app, antislop, AntislopFlags, {"json": False, "quiet": False})
add_verb(app, train, TrainFlags, {"dry_run": False, "json": False, "quiet": False})
add_verb(app, find, FindFlags, {"index": False, "top": 20, "json": False, "quiet": False})
add_verb(app, bench, BenchFlags, {"json": False, "quiet": False})
add_verb(app, autoif, AutoifFlags, {"json": False, "quiet": False})
recipe_verb(app, condition, samples=32, max_tokens=60)
recipe_verb(app, rectify, samples=96, max_tokens=20)
recipe_verb(app, diff, samples=4, max_tokens=200)
recipe_verb(app, prove, samples=4, max_tokens=200)
add_verb(app, chat, ChatFlags, {"device": "auto", "max_tokens": 2048, "seed": 0})
add_verb(
    app,
    generate,
    GenerateFlags,
    {"device": "auto", "max_tokens": 200, "seed": 0, "samples": 1, "openings": False, "json": False},
)
add_verb(app, serve, ServeFlags, {"device": "auto", "host": "127.0.0.1", "port": 8000})
app.command()(resume)
app.command()(ls)
app.command()(profile)
app.command()(check)
app.add_typer(bans)
