from pathlib import Path

from scripted_author import Author

from planish.find.instructions.prompt import with_instruction
from planish.models.reply_store import ReplyStore
from planish.recipes.asking import Asker
from planish.recipes.calls import Calls
from planish.recipes.judging import Judged, judged
from planish.records.generation import Generation
from planish.records.prompt import Prompt, writing_prompt
from planish.runs.run import Run

PLAIN = [writing_prompt("What is red?"), Prompt(text="Once upon"), writing_prompt("Who?"), writing_prompt("Why?")]
PROMPTS = [with_instruction(prompt, "Use no commas.", ("no_commas",)) for prompt in PLAIN]


def answer(prompt: Prompt, number: int, text: str, status: str = "ok") -> Generation:
    return Generation.model_validate(
        {
            "id": f"{prompt.id}-{number}",
            "prompt_id": prompt.id,
            "sample": number,
            "seed": 0,
            "text": text,
            "prompt_token_ids": (),
            "token_ids": (),
            "char_ends": (),
            "finish": "stop",
            "status": status,
        }
    )


ANSWERS = [
    answer(PROMPTS[0], 0, "good 9"),
    answer(PROMPTS[0], 1, "bad 2"),
    answer(PROMPTS[1], 0, "bad 4"),
    answer(PROMPTS[1], 1, "torn"),
    answer(PROMPTS[2], 0, "torn"),
    answer(PROMPTS[3], 0, "bad 0", "failed"),
]


def script(request: str, number: int) -> str:
    reply = request.partition("<reply>\n")[2].partition("\n")[0]
    return f"It is fine.\nScore: {reply.split()[1]}" if " " in reply else "It is fine."


def judge(folder: Path, least_quality: float, author: Author) -> Judged:
    asker = Asker(ReplyStore(folder / "replies.jsonl"), author)
    plain = {prompt.id: own for prompt, own in zip(PROMPTS, PLAIN, strict=True)}
    with Run.start(folder, "test", {}, {}) as run:
        return judged(run, asker, Calls("m"), PROMPTS, plain, ANSWERS, least_quality, block=2)


def test_answers_are_judged_and_prompts_with_bad_ones_are_left_out(tmp_path: Path) -> None:
    author = Author({"judge_quality": script})
    found = judge(tmp_path / "run", 5, author)
    assert found.quality == {ANSWERS[0].id: 9, ANSWERS[1].id: 2, ANSWERS[2].id: 4}
    # Those of the first are worth 5.5; of the third and the last nobody said anything.
    assert found.prompts == [PROMPTS[0], PROMPTS[2], PROMPTS[3]]
    assert [(row.stage, row.outcome, row.count, row.of) for row in found.funnel] == [
        ("answers judged", "kept", 3, 5),
        ("answers judged", "no_score", 2, 5),
        ("prompts", "kept", 3, 4),
        ("prompts", "low_quality", 1, 4),
    ]
    assert author.count("judge_quality") == 5
    assert judge(tmp_path / "other", 6, Author({"judge_quality": script})).prompts == PROMPTS[2:]


def test_the_judge_is_shown_the_query_and_the_instruction_apart(tmp_path: Path) -> None:
    author = Author({"judge_quality": script})
    judge(tmp_path, 5, author)
    for prompt, draw in ((PLAIN[0], author.asked[0]), (PLAIN[1], author.asked[2])):
        text = draw.request.messages[0].content
        assert f"<message>\n{prompt.content}\n</message>" in text
        assert "<instruction>\nUse no commas.\n</instruction>" in text
