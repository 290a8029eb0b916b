// Reads files of a register with programs for charts and citations: `node programs.mjs ADDRESS PROGRAM`.
// Prints what was seen; ends with an error if it is something else.
import assert from 'node:assert/strict';

const [address, program] = process.argv.slice(2);
const TIMELINE = `${address}/topics/russian-casualties/timeline.csv`;
const TYPES = { date: 'date', period_start: 'date', value: 'number', lower: 'number', source: 'text' };

async function read(url) {
  const answer = await fetch(url);
  assert.ok(answer.ok, `${answer.status} ${url}`);
  return answer.text();
}

async function open_page() {
  const { JSDOM } = await import('jsdom');
  const { window } = new JSDOM('<!doctype html><body></body>');
  window.fetch = globalThis.fetch;
  globalThis.window = window;
  globalThis.document = window.document;
  return window.document;
}

const PROGRAMS = {
  async datawrapper() {
    await open_page();
    const { default: delimited } = await import('@datawrapper/chart-core/lib/dw/dataset/delimited.mjs');
    const dataset = await delimited({ url: TIMELINE }).dataset();
    const types = Object.fromEntries(Object.keys(TYPES).map((name) => [name, dataset.column(name).type()]));
    assert.deepEqual(types, TYPES);
    return `${dataset.numRows()} rows; ${JSON.stringify(types)}`;
  },
  async flourish() {
    const text = await read(TIMELINE);
    const { createInterpreter } = await import('@flourish/interpreter');
    const { csvParse } = await import('d3');
    const rows = csvParse(text);
    const names = { datetime: 'date', number: 'number', string: 'text' };
    const found = (name) => createInterpreter()(rows.map((row) => row[name]))[0];
    const types = Object.fromEntries(Object.keys(TYPES).map((name) => [name, names[found(name).type]]));
    assert.deepEqual(types, TYPES);
    return `${rows.length} rows; ${JSON.stringify(types)}; dates as ${found('date').id}`;
  },
  async plot() {
    const text = await read(TIMELINE);
    const document = await open_page();
    const Plot = await import('@observablehq/plot');
    const { autoType, csvParse } = await import('d3');
    const rows = csvParse(text, autoType);
    assert.ok(rows.every((row) => row.date instanceof Date));
    const y = (row) => row.value ?? row.lower ?? row.upper;
    const svg = Plot.plot({ document, marks: [Plot.dot(rows, { x: 'date', y, stroke: 'source' })] });
    const dots = svg.querySelectorAll('circle').length;
    assert.equal(dots, rows.length);
    return `${dots} dots for ${rows.length} rows; \`date\`: Date`;
  },
  async citation() {
    const [{ id }] = JSON.parse(await read(`${address}/claims?shape=array&fields=id&source=csis&limit=1`));
    const texts = [await read(`${address}/claims/${id}/citation.csl.json`), await read(`${address}/claims/${id}/citation.bib`)];
    const { Cite } = await import('@citation-js/core');
    await import('@citation-js/plugin-bibtex');
    await import('@citation-js/plugin-csl');
    const counts = texts.map((text) => new Cite(text).data.length);
    assert.equal(counts[0], counts[1]);
    const cited = new Cite(texts[0]).format('bibliography', { format: 'text', template: 'apa' });
    assert.match(cited, /Counterclaim/);
    return `${counts[0]} references, the same from both; formatted in APA style`;
  },
};

console.log(await PROGRAMS[program]());
