"""Two jobs over each other in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from appliance.jobs import State
from tests.webui.stage import Stage


def test_one_slider_moves_both_pendulums_and_a_shorter_run_ends_where_it_ended(stage: Stage, page: Page) -> None:
    short, long = (
        stage.finish(stage.running(name), State.SUCCEEDED, steps=steps).id
        for name, steps in (("short", 100), ("long", 400))
    )
    page.goto(f"/jobs/{short}")
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Second job").select_option(long)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**/compare?a={short}&b={long}")
    expect(page.locator("[data-plot] canvas")).to_have_count(4)
    slider = page.get_by_label("Time in both runs")
    expect(slider).to_have_attribute("max", "20")
    arms = page.locator("[data-arm]")
    before = [arm.get_attribute("transform") for arm in arms.all()]
    slider.fill("3")
    assert all(arm.get_attribute("transform") != was for arm, was in zip(arms.all(), before, strict=True))
    slider.fill("10")
    ended = arms.first.get_attribute("transform")
    slider.fill("15.5")
    assert arms.first.get_attribute("transform") == ended
    # Behind its end the short run's colour is on no chart.
    painted = """([plot]) => {
        const canvas = plot.querySelector("canvas"), { width, height } = canvas;
        const pixels = canvas.getContext("2d").getImageData(width * 0.7, 0, width * 0.3, height).data, found = new Set();
        for (let n = 0; n < pixels.length; n += 4) if (pixels[n + 3] === 255) found.add(`${pixels[n]},${pixels[n + 1]},${pixels[n + 2]}`);
        return [...found];
    }"""
    colours = page.locator('[data-plot="speed"]').evaluate_all(painted)
    assert "161,90,6" in colours
    assert "10,108,140" not in colours
