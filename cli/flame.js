// SPDX-License-Identifier: MIT
// What makes the drawing of flame-svg.c answer: zoom, search, keyboard. The drawing is complete
// without it. Each frame is a <g data-a="from" data-v="value"> with a title, a rect and a text, in the order
// parents first; y never changes, x and width follow from what is zoomed to and the window's width.
(function () {
'use strict';

const PAD = 10, CHAR = 7.25, INSET = 3, NARROWEST = 640;
const svg = document.currentScript.closest('svg');
const $ = (id) => svg.getElementById(id);
const total = Number(svg.dataset.total), unit = svg.dataset.unit;
const height = svg.viewBox.baseVal.height;

const frames = [];
let width = svg.viewBox.baseVal.width;
let focus, cursor = null, box = null, hits = [];

function read() {
  const path = [];
  for (const g of $('frames').children) {
    const rect = g.querySelector('rect');
    const lines = g.querySelector('title').textContent.split('\n');
    const f = {
      g, rect, text: g.querySelector('text'), name: lines[0], brief: g.dataset.b || lines[0],
      about: lines.slice(1).join(', '), y: Number(rect.getAttribute('y')), from: Number(g.dataset.a),
      size: Number(g.dataset.v), children: [], parent: null, shown: true, x: 0, w: 0,
    };
    while (path.length && path[path.length - 1].y <= f.y)
      path.pop();
    if (path.length) {
      f.parent = path[path.length - 1];
      f.parent.children.push(f);
    }
    path.push(f);
    frames.push(f);
    g.frame = f;
  }
}

// Labels: the same steps as flame_label() in flame-name.c takes.

function columns(text) {
  let n = 0;
  for (const c of text) {
    const p = c.codePointAt(0);
    n += p >= 0x10000 || (p >= 0x1000 && p < 0x2000) || p >= 0x3000 ? 2 : 1;
  }
  return n;
}

function cut(text, room) {
  let out = '', used = 0;
  for (const c of text) {
    used += columns(c);
    if (used > room - 1)
      return out + '…';
    out += c;
  }
  return out;
}

function label(f, room) {
  if (room < 3)
    return '';
  const last = f.brief.slice(f.brief.lastIndexOf('::') + 1).replace(/^:/, '');
  for (const text of [f.name, f.brief, last])
    if (columns(text) <= room)
      return text;
  return cut(last, room);
}

// Drawing.

function place(f, x, w, below) {
  f.shown = w >= 0.1;
  f.g.style.display = f.shown ? '' : 'none';
  f.g.classList.toggle('below', below);
  if (!f.shown || (f.x === x && f.w === w))
    return;
  f.x = x;
  f.w = w;
  f.rect.setAttribute('x', x.toFixed(2));
  f.rect.setAttribute('width', w.toFixed(2));
  f.text.setAttribute('x', (x + INSET).toFixed(2));
  f.text.textContent = label(f, Math.floor((w - 2 * INSET) / CHAR));
}

function draw() {
  const inner = width - 2 * PAD, end = focus.from + focus.size, down = new Set();
  for (let f = focus; f; f = f.parent)
    down.add(f);
  for (const f of frames) {
    if (down.has(f))
      place(f, PAD, inner, f !== focus);
    else if (f.y < focus.y && f.from >= focus.from && f.from + f.size <= end)
      place(f, PAD + (f.from - focus.from) / focus.size * inner, f.size / focus.size * inner, false);
    else
      f.shown = false, f.g.style.display = 'none';
  }
  $('reset').style.display = focus.parent ? '' : 'none';
}

// In a window of its own the drawing is as wide as that; elsewhere it stays as it is.
function fit() {
  if (svg === document.documentElement) {
    const seen = window.visualViewport ? window.visualViewport.width : window.innerWidth;
    width = Math.max(NARROWEST, Math.floor(seen) || width);
    svg.setAttribute('width', width);
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  }
  for (const t of svg.querySelectorAll('.centre'))
    t.setAttribute('x', width / 2);
  for (const t of svg.querySelectorAll('.right'))
    t.setAttribute('x', width - PAD);
  const subtitle = $('subtitle');
  subtitle.textContent = cut(subtitle.dataset.text, Math.floor((width - 2 * PAD) / CHAR));
  if (box)
    box.setAttribute('x', width - PAD - box.getAttribute('width'));
  draw();
}

// What is said about a frame.

function percent(part, whole) {
  return (100 * part / whole).toFixed(2) + ' %';
}

function tell(f) {
  let text = '';
  if (f) {
    const about = f.about + (focus.parent && f !== focus && f.size <= focus.size ?
      `; ${percent(f.size, focus.size)} of what is zoomed to` : '');
    const room = Math.floor((width - 2 * PAD) / CHAR) - columns(about) - 4;
    text = (columns(f.name) <= room ? f.name : cut(f.name, Math.max(room, 12))) + ': ' + about;
  }
  $('details').textContent = text;
}

function amount(v) {
  if (unit === 'ns') {
    const unit_of = [[1e9, 's'], [1e6, 'ms'], [1e3, 'us'], [1, 'ns']].find(([u]) => v >= u) || [1, 'ns'];
    return `${Number((v / unit_of[0]).toPrecision(4))}${unit_of[1]}`;
  }
  if (unit !== 'bytes')
    return `${v.toLocaleString('en')} ${unit}`;
  let u = 0;
  for (; v >= 1023.5 && u < 6; u++)
    v /= 1024;
  return v.toFixed(!u || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2) + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'][u];
}

// Zoom.

function zoom(f) {
  focus = f;
  draw();
  tell(f.parent ? f : null);
}

function select(f) {
  if (!f)
    return;
  if (cursor) {
    cursor.g.classList.remove('cursor');
    cursor.g.setAttribute('tabindex', '-1');
  }
  cursor = f;
  f.g.classList.add('cursor');
  f.g.setAttribute('tabindex', '0');
  f.g.focus({preventScroll: true});
  f.g.scrollIntoView({block: 'nearest', inline: 'nearest'});
  tell(f);
}

// Search: a regular expression, or plain text where it is none; capitals make it mind the case.

function expression(text) {
  const flags = /[A-Z]/.test(text) ? 'u' : 'iu';
  try {
    return new RegExp(text, flags);
  } catch {
    return new RegExp(text.replace(/[\\^$.*+?()[\]{}|\/]/g, '\\$&'), flags);
  }
}

function search(text) {
  const re = text ? expression(text) : null;
  let sum = 0, covered = -1;
  hits = [];
  for (const f of frames) {
    const hit = !!re && re.test(f.name);
    f.g.classList.toggle('hit', hit);
    if (!hit)
      continue;
    hits.push(f);
    if (f.from >= covered) {
      sum += f.size;
      covered = f.from + f.size;
    }
  }
  $('legend').style.display = re && width < 1100 ? 'none' : '';  // there is no room for both
  $('matched').textContent = re ? `Matched: ${percent(sum, total)}, ${amount(sum)}` : '';
}

function openSearch() {
  if (box) {
    box.firstChild.focus();
    box.firstChild.select();
    return;
  }
  box = document.createElementNS('http://www.w3.org/2000/svg', 'foreignObject');
  const input = document.createElementNS('http://www.w3.org/1999/xhtml', 'input');
  const area = {x: width - PAD - 300, y: 8, width: 300, height: 26};
  for (const k in area)
    box.setAttribute(k, area[k]);
  input.setAttribute('type', 'text');
  input.setAttribute('placeholder', 'function, op or regular expression');
  input.setAttribute('aria-label', 'search for functions, ops or a regular expression');
  input.addEventListener('input', () => search(input.value));
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Escape')
      closeSearch();
    else if (e.key === 'Enter')
      nextHit(1);
    if (!(e.key === 'f' && (e.ctrlKey || e.metaKey)))
      e.stopPropagation();
  });
  box.appendChild(input);
  svg.appendChild(box);
  $('search').style.display = 'none';
  input.focus();
}

function closeSearch() {
  search('');
  if (box)
    box.remove();
  box = null;
  $('search').style.display = '';
  select(cursor || focus);
}

function nextHit(way) {
  const list = hits.filter((f) => f.shown);
  if (list.length)
    select(list[(list.indexOf(cursor) + way + list.length) % list.length]);
}

// Keyboard: one tab stop for the graph, arrows inside it.

function beside(way) {
  const row = frames.filter((f) => f.shown && f.y === cursor.y);
  return row[row.indexOf(cursor) + way];
}

function above() {
  const list = cursor.children.filter((f) => f.shown);
  return list.reduce((best, f) => (!best || f.size > best.size ? f : best), null);
}

function key(e) {
  const find = e.key === 'f' && (e.ctrlKey || e.metaKey);
  if (find && document.activeElement && document.activeElement.localName === 'input')
    return;  // asked for twice: the browser's own
  if (!find && (e.ctrlKey || e.metaKey || e.altKey))
    return;
  if (!cursor || !cursor.shown)
    cursor = focus;
  const onButton = e.target.closest && e.target.closest('[role=button]');
  const keys = {
    ArrowUp: () => select(above()), ArrowDown: () => select(cursor.parent),
    ArrowLeft: () => select(beside(-1)), ArrowRight: () => select(beside(1)),
    Home: () => select(frames[0]),
    Enter: () => (onButton ? onButton.dispatchEvent(new MouseEvent('click', {bubbles: true})) : zoom(cursor)),
    Escape: () => (box || hits.length ? closeSearch() : (zoom(frames[0]), select(frames[0]))),
    '/': openSearch, f: find ? openSearch : null, n: () => nextHit(1), N: () => nextHit(-1),
  };
  keys[' '] = keys.Enter;
  if (!keys[e.key])
    return;
  keys[e.key]();
  e.preventDefault();
}

read();
if (!frames.length)
  return;
focus = frames[0];
const graph = $('frames');
graph.setAttribute('role', 'tree');
for (const f of frames) {
  f.g.setAttribute('role', 'treeitem');
  f.g.setAttribute('tabindex', '-1');
}
frames[0].g.setAttribute('tabindex', '0');
const frameOf = (e) => { const g = e.target.closest('#frames > g'); return g && g.frame; };
graph.addEventListener('click', (e) => { const f = frameOf(e); if (f) { zoom(f); select(f); } });
graph.addEventListener('mouseover', (e) => tell(frameOf(e)));
graph.addEventListener('mouseleave', () => tell(cursor));
graph.addEventListener('focusin', (e) => { const f = frameOf(e); if (f && f !== cursor) select(f); });
$('reset').addEventListener('click', () => { zoom(frames[0]); select(frames[0]); });
$('search').addEventListener('click', openSearch);
$('search').style.display = '';
// In somebody's page the other keys are that page's own.
(svg === document.documentElement ? window : svg).addEventListener('keydown', key);
window.addEventListener('resize', fit);
fit();
}());
