"""What is tried on pages, and what is asked of them, in a browser."""

from __future__ import annotations

ATTACKS = [
    "<script>window.owned = 1</script>",
    "\"><img src=x onerror='window.owned = 1'>",
    "'><svg/onload=window.owned=1>",
    "</title></style></script></textarea><script>window.owned = 1</script>",
    "</desc></svg><iframe srcdoc='<script>parent.owned = 1</script>'>",
    "javascript:window.owned=1//",
    '" onmouseover="window.owned = 1" style="position:fixed;inset:0" autofocus onfocus="window.owned = 1"',
    "]]><!--><script>window.owned = 1</script>",
    "&#60;script&#62;window.owned = 1&#60;/script&#62;",
    "{{ ''.__class__.__mro__ }}{% raw %}<script>window.owned = 1</script>",
    "\u202e\u2066\x00\x1b[2J<script>window.owned = 1</script>\u2069",
]
CENSUS = """() => [...document.querySelectorAll('*')].map(
    found => found.localName + '[' + [...found.attributes].map(one => one.name).sort().join() + ']')"""
OUTSIDE = """width => [...document.querySelectorAll('body *')].filter(found => {
    const box = found.getBoundingClientRect();
    return !found.closest('.scroll, .skip') && box.width && box.right > width + 1;
}).map(found => found.outerHTML.slice(0, 90))"""
CONTRAST = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([red, green, blue]) => {
        const part = [red, green, blue].map(value => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
    };
    const over = (top, bottom) => {
        const alpha = top.length > 3 ? top[3] : 1;
        return [0, 1, 2].map(index => alpha * top[index] + (1 - alpha) * bottom[index]);
    };
    const behind = found => {
        const layers = [];
        for (let up = found; up; up = up.parentElement) layers.push(numbers(getComputedStyle(up).backgroundColor));
        return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
    };
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let seen = 0;
    while (walker.nextNode()) {
        const found = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !found.getClientRects().length) continue;
        const style = getComputedStyle(found);
        const flag = found.matches('text.flag') ? getComputedStyle(found.previousElementSibling).fill : null;
        const front = numbers(found instanceof SVGElement ? style.fill : style.color);
        const back = flag ? numbers(flag) : behind(found);
        const pair = [light(over(front, back)), light(back)].sort((a, b) => b - a);
        const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
        seen += 1;
        if (ratio < 4.5) poor.push(walker.currentNode.data.trim().slice(0, 40) + ' ' + ratio.toFixed(2));
    }
    return [seen, poor];
}"""
