import pytest

from explorer.ui.kit import state

FORGED = [
    {"checkpoint": "../../../etc/passwd"},
    {"checkpoint": "/etc/passwd"},
    {"checkpoint": "20200101-000000-abcdef"},
    {"checkpoint": "small@1"},
    {"checkpoint": "\x00"},
    {"dataset": "../fashion-mnist"},
    {"split": "all"},
    {"epoch": "-1", "checkpoint": "small"},
    {"section": "no such section", "numbers": "x", "class": "y", "page": "999999999999"},
    {"image": "99999999", "target": "nothing", "methods": "none"},
    {"image": "-5"},
    {"image": "abc"},
]


@pytest.mark.parametrize("page", ["home", "evaluate", "explain"])
@pytest.mark.parametrize("parameters", FORGED, ids=str)
def test_a_forged_link_never_raises(open_page, run, page, parameters):
    app = open_page("home", **parameters)
    assert not app.exception
    if page != "home":
        app = open_page(page, **parameters)
        assert not app.exception
        assert not app.error
    assert app.selectbox(key="checkpoint").value in ("small", run.id)
    assert app.session_state["split"] == "test"


def test_what_a_link_asks_for_and_is_not_here_is_said_without_markup(open_page, run):
    app = open_page("home", checkpoint="![x](http://evil.example/x.png)")
    (warning,) = app.warning
    assert "![x]" not in warning.value
    assert r"\!\[x\]" in warning.value


def test_a_link_chooses_run_epoch_and_split(open_page, run):
    app = open_page("evaluate", checkpoint=run.id, epoch="1", split="validation")
    assert not app.exception
    assert app.selectbox(key="checkpoint").value == run.id
    assert app.select_slider(key="epoch").value == 1
    assert app.segmented_control(key="split").value == "validation"


def test_choices_go_into_the_url_as_names_and_ids(open_page, run):
    app = open_page("evaluate")
    app.selectbox(key="checkpoint").set_value(run.id).run()
    app.segmented_control(key="split").set_value("train").run()
    assert app.query_params["checkpoint"] == run.id
    assert app.query_params["split"] == "train"
    app.segmented_control(key="split").set_value("test").run()
    assert "split" not in app.query_params


def test_the_selection_follows_to_other_pages(open_page, run):
    app = open_page("home", checkpoint=run.id, split="validation")
    app.button(key="start-evaluate").click().run()
    assert app.title[0].value == "Evaluate"
    assert app.selectbox(key="checkpoint").value == run.id
    assert app.segmented_control(key="split").value == "validation"
    assert any("on 6,000 validation images" in element.value for element in app.markdown)


def test_another_run_starts_at_its_best_epoch(open_page, run, other_run):
    app = open_page("evaluate", checkpoint=run.id, epoch="1")
    app.selectbox(key="checkpoint").set_value(other_run.id).run()
    assert app.select_slider(key="epoch").value == 2
    app = open_page("evaluate", checkpoint=run.id, epoch="1")
    app.selectbox(key="checkpoint").set_value("small").run()
    app.selectbox(key="checkpoint").set_value(run.id).run()
    assert app.select_slider(key="epoch").value == 2
    assert "epoch" not in app.query_params


def test_another_data_set_has_its_own_checkpoints(open_page, run):
    app = open_page("evaluate", checkpoint="small")
    app.selectbox(key="dataset").set_value("mnist").run()
    assert not app.exception
    assert any("No checkpoint for MNIST" in element.value for element in app.markdown)
    app.selectbox(key="dataset").set_value("fashion-mnist").run()
    assert app.metric


def test_a_single_checkpoint_has_no_epoch_slider(open_page, run):
    app = open_page("evaluate", checkpoint="small")
    assert not [slider for slider in app.select_slider if slider.key == "epoch"]


def test_a_name_of_a_user_is_never_markup(open_page, run):
    app = open_page("evaluate", checkpoint=run.id)
    html = "".join(element.proto.body for element in app.get("html"))
    markdown = "".join(element.value for element in (*app.markdown, *app.caption))
    assert "<b>" not in html
    assert "[try](" not in markdown


def test_what_the_browser_sends_before_it_has_heard_of_a_choice_does_not_undo_it(open_page, run, monkeypatch):
    monkeypatch.setattr("explorer.ui.kit.address.LATE_SECONDS", 3600)
    app = open_page("evaluate", split="validation")
    app.segmented_control(key="split").set_value("train").run()
    app.query_params["split"] = "validation"
    app.run()
    assert app.segmented_control(key="split").value == app.query_params["split"] == "train"
    monkeypatch.setattr("explorer.ui.kit.address.LATE_SECONDS", 0)
    app.query_params["split"] = "validation"
    app.run()
    assert app.segmented_control(key="split").value == app.query_params["split"] == "validation"


def test_the_sidebar_shows_what_does_something_on_the_page_and_keeps_the_rest(open_page, run):
    def shown(app):
        widgets = (*app.sidebar.selectbox, *app.sidebar.select_slider, *app.sidebar.get("button_group"))
        return {widget.key for widget in widgets}

    app = open_page("evaluate", checkpoint=run.id, epoch="1", split="validation")
    assert shown(app) == {"dataset", "checkpoint", "epoch", "split"}
    for page, used in (("train", {"dataset"}), ("runs", set()), ("home", {"dataset", "checkpoint"})):
        app.switch_page(state.page_file(page)).run()
        assert not app.exception
        assert shown(app) == used
        app.run()
    app.switch_page(state.page_file("evaluate")).run()
    assert app.selectbox(key="checkpoint").value == run.id
    assert app.select_slider(key="epoch").value == 1
    assert app.segmented_control(key="split").value == "validation"
