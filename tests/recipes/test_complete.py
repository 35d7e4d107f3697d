"""No recipe without a test."""

from tests.readme import blocks
from tests.recipes import test_dashboard, test_django_app, test_http, test_results, test_websocket
from tests.recipes.recipe import RECIPES, WEB

SERVED = [recipe.name for recipe in (*test_http.RECIPES, *test_results.SERVED)] + list(test_websocket.RECIPES)
SERVED += test_dashboard.NAMES

#: What tests/servers and tests/browser run, and what other tests of tests/recipes look at.
SHOWN = {
    *("report.html", "watch.js", "event_source.js"),
    *("stop.py", "nginx.conf", "stream.json", "stream.ndjson", "stream.sse"),
    *test_django_app.FILES,
    *("uwsgi.ini", "plugin.conf"),
    *("own_params.py", "own_view.py", "overview_only.py", "refusal.json", "typed_client.py", "events.py"),
}


def test_each_recipe_is_served_and_all_else_that_has_a_name_is_looked_at() -> None:
    assert {name for page in (WEB, *RECIPES) for name in blocks(page)} == {*SERVED, *SHOWN}


def test_recipes_fit_the_page() -> None:
    for page in (WEB, *RECIPES):
        for name, text in blocks(page).items():
            if name.endswith(".py"):
                assert max(map(len, text.splitlines())) <= 100, name
