/**
 * The status page: one file that needs nothing from anywhere but /status.json and /metrics of the same server, so it works without the
 * internet. Whatever comes from the cluster is put in as text, never as markup. Nothing is asked for while nobody looks at the page.
 */
export const STATUS_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>kubefold</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  :root {
    color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --ink: #16202c; --quiet: #5d6b7c; --line: #dde3ea;
    --good: #15803d; --bad: #c02637; --warm: #a16207; --first: #2563eb; --second: #0d9488;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --ground: #10151c; --card: #18202a; --ink: #e6ebf1; --quiet: #93a1b3; --line: #2b3644;
      --good: #4ade80; --bad: #f87171; --warm: #fbbf24; --first: #60a5fa; --second: #2dd4bf;
    }
  }
  * { box-sizing: border-box }
  body { font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 75rem; margin: 0 auto; padding: 1.5rem 1rem 3rem }
  h1 { font-size: 1.25rem; margin: 0; display: flex; align-items: baseline; gap: .6rem; flex-wrap: wrap }
  h1 small { font-weight: 400; color: var(--quiet) }
  #phase { font-size: .8rem; font-weight: 600; padding: .1rem .6rem; border-radius: 1rem; border: 1px solid currentColor; align-self: center }
  #line { margin: .2rem 0 1.1rem; color: var(--quiet) }
  .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin-bottom: .8rem }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; min-width: 0 }
  .tile b { display: block; font-size: 1.5rem; line-height: 1.3; font-variant-numeric: tabular-nums; white-space: nowrap }
  .tile span { color: var(--quiet) }
  svg { width: 100%; height: 2.6rem; display: block; margin-top: .4rem; border-bottom: 1px solid var(--line) }
  polyline { fill: none; stroke: var(--first); stroke-width: 1.5; vector-effect: non-scaling-stroke } polyline + polyline { stroke: var(--second) }
  .first { color: var(--first) } .second { color: var(--second) }
  #notes:empty { display: none } #notes { color: var(--bad); margin-bottom: .8rem; white-space: pre-line }
  .scroll { overflow-x: auto; padding: .3rem .9rem }
  table { border-collapse: collapse; width: 100% }
  th { text-align: left; font-weight: 600; color: var(--quiet); white-space: nowrap }
  th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
  tbody tr:last-child td { border-bottom: 0 } td:first-child { overflow-wrap: anywhere; min-width: 10rem }
  .n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
  .good { color: var(--good) } .bad { color: var(--bad) } .warm { color: var(--warm) } .quiet { color: var(--quiet) }
  details { margin-top: .8rem } summary { cursor: pointer; color: var(--quiet) } details li { margin: .2rem 0 }
  @media (max-width: 46rem) { .wide { display: none } .tile b { font-size: 1.15rem } th, td { padding-right: .6rem } }
</style>
<header><h1>kubefold <small id="cluster"></small><span id="phase">…</span></h1><p id="line" role="status">connecting …</p></header>
<div class="tiles">
  <div class="card tile"><b id="age">–</b><span>age of the copy</span><svg role="img" aria-label="age of the copy, last minutes" id="age-chart"></svg></div>
  <div class="card tile"><b id="flow">–</b><span><span class="first">changes</span> and <span class="second">writes</span> a second</span><svg role="img" aria-label="changes and writes a second, last minutes" id="flow-chart"></svg></div>
  <div class="card tile"><b id="latency">–</b><span>change to stored, <span class="first">p50</span> and <span class="second">p99</span></span><svg role="img" aria-label="change to stored, last minutes" id="latency-chart"></svg></div>
  <div class="card tile"><b id="unsettled">–</b><span>waiting to be written, <span id="pending"></span></span><svg role="img" aria-label="waiting to be written, last minutes" id="unsettled-chart"></svg></div>
</div>
<div class="card" id="notes" role="alert"></div>
<div class="card scroll">
  <table><thead><tr><th>kind<th>state<th class="n">objects<th class="n">to write<th class="n">age<th class="n wide">complete to<th class="n wide">writers<th>note</tr></thead><tbody id="kinds"></tbody></table>
</div>
<p id="audit" class="quiet"></p>
<details><summary id="left-out">left out</summary><ul id="left"></ul></details>
<script>
  const EVERY_MS = 1000, KEPT = 120;
  const at = (id) => document.getElementById(id);
  const set = (id, text, name) => { at(id).textContent = text; if (name !== undefined) at(id).className = name; };
  const count = (number) => Math.round(number).toLocaleString('en-US');
  const age = (ms) => ms < 1000 ? 'current' : ms < 10000 ? (ms / 1000).toFixed(1) + ' s' : ms < 600000 ? count(ms / 1000) + ' s' : count(ms / 60000) + ' min';
  const short = (s) => s === null ? '–' : s < 1 ? (s >= .0995 ? Math.round(s * 1000) : (s * 1000).toPrecision(2).replace('.0', '')) + ' ms' : s.toFixed(1) + ' s';

  /** Draws series of one unit over the same time, newest at the right; null is a gap that is passed over. */
  const histories = {};
  function chart(id, values) {
    const history = histories[id] ??= [];
    history.push(values);
    if (history.length > KEPT) history.shift();
    const top = Math.max(1e-9, ...history.flat());
    const svg = at(id);
    svg.setAttribute('viewBox', '0 0 ' + KEPT + ' 40');
    svg.setAttribute('preserveAspectRatio', 'none');
    values.forEach((_, series) => {
      const line = svg.children[series] ?? svg.appendChild(document.createElementNS('http://www.w3.org/2000/svg', 'polyline'));
      const points = history.map((sample, i) => sample[series] === null ? '' : (KEPT - history.length + i) + ',' + (38.5 - 36 * sample[series] / top));
      line.setAttribute('points', points.filter(Boolean).join(' '));
    });
  }

  /** What the page needs of the metrics: two totals, and the latency buckets of all kinds together. */
  function totalsOf(text) {
    const totals = { at: performance.now(), changes: 0, writes: 0, buckets: new Map() };
    for (const line of text.split(String.fromCharCode(10))) {
      const value = Number(line.slice(line.lastIndexOf(' ') + 1));
      if (line.startsWith('kubefold_changes_total{')) totals.changes += value;
      else if (line.startsWith('kubefold_storage_writes_total{') && line.includes('outcome="written"')) totals.writes += value;
      else if (line.startsWith('kubefold_change_to_stored_seconds_bucket{')) {
        const le = line.split('le="')[1].split('"')[0];
        const bound = le === '+Inf' ? Infinity : Number(le);
        totals.buckets.set(bound, (totals.buckets.get(bound) ?? 0) + value);
      }
    }
    return totals;
  }

  /** The upper bound of the bucket in which the quantile lies, of what was stored between two looks; null when nothing was. */
  function quantile(share, before, after) {
    const bounds = [...after.buckets.keys()].sort((a, b) => a - b);
    const upTo = (bound) => after.buckets.get(bound) - (before.buckets.get(bound) ?? 0);
    const all = bounds.length === 0 ? 0 : upTo(bounds.at(-1));
    if (all <= 0) return null;
    const found = bounds.find((bound) => upTo(bound) >= share * all);
    return found === Infinity ? bounds.at(-2) : found;
  }

  let last = null;
  function showFlow(totals) {
    if (last !== null && totals.changes >= last.changes) {
      const seconds = (totals.at - last.at) / 1000;
      const changes = (totals.changes - last.changes) / seconds, writes = (totals.writes - last.writes) / seconds;
      const half = quantile(.5, last, totals), most = quantile(.99, last, totals);
      set('flow', count(changes) + ' → ' + count(writes));
      chart('flow-chart', [changes, writes]);
      set('latency', half === null ? '–' : '≤ ' + short(half) + ' · ' + short(most));
      chart('latency-chart', [half, most]);
    }
    last = totals;
  }

  function cell(row, text, name) { const td = row.insertCell(); td.textContent = text; if (name) td.className = name; }
  function showAudit({ everySeconds, off, last }) {
    if (everySeconds === null || off !== null) return set('audit', 'audit: ' + (off ?? 'switched off'), 'quiet');
    if (last === null) return set('audit', 'audit: no round is over yet', 'quiet');
    const skipped = last.skipped.map(({ id, why }) => '; ' + id + ' was not compared: ' + why).join('');
    const found = last.drift === 0 ? 'none differed' : count(last.drift) + ' differed and were mended';
    set('audit', 'audit: ' + count(last.objects) + ' rows compared with the cluster until ' + new Date(last.finishedAt).toLocaleTimeString() + ', ' + found + skipped,
      last.drift > 0 ? 'bad' : skipped === '' ? 'quiet' : 'warm');
  }

  function shared(shards) {
    if (shards === undefined) return '';
    const { own, count, members, holders } = shards, free = holders.filter((holder) => holder === null).length;
    const written = own.length === 0 ? 'no shard' : (own.length === 1 ? 'shard ' : 'shards ') + own.map(({ index }) => index).join(', ');
    return ', ' + written + ' of ' + count + ' written here, shared by ' + members + (members === 1 ? ' replica' : ' replicas') + (free === 0 ? '' : ', ' + free + ' written by nobody');
  }

  function leader(lease) {
    if (lease === undefined) return '';
    return lease.role === 'leader' ? ', this process leads (epoch ' + lease.epoch + ')' : lease.holder === null ? ', nobody leads' : ', ' + lease.holder + ' leads';
  }

  function configuration(file) {
    return file === undefined || file.version === null ? '' : ', configuration ' + file.version;
  }

  function showStatus(status) {
    const { kinds } = status;
    const sum = (key) => kinds.reduce((total, kind) => total + kind[key], 0);
    const complete = kinds.filter((kind) => kind.complete).length;
    const isComplete = kinds.length > 0 && complete === kinds.length;
    // As copyAge() says: when no kind at all was heard for long, the copy is only known to be as new as what was heard last.
    const heard = kinds.map((kind) => kind.silentMs).filter((ms) => ms !== null), silentMs = heard.length === 0 ? 0 : Math.min(...heard);
    const oldest = isComplete ? Math.max(...kinds.map((kind) => kind.ageMs), silentMs > 90000 ? silentMs : 0) : null;
    document.title = status.cluster + ' · kubefold';
    set('cluster', status.cluster);
    set('phase', status.phase, (status.phase === 'live' || status.phase === 'standby') && status.error === null ? 'good' : status.phase === 'connecting' || status.error !== null ? 'bad' : 'warm');
    set('line', count(sum('objects')) + ' objects of ' + kinds.length + ' kinds, from ' + status.address + configuration(status.configuration) + leader(status.leadership) + shared(status.shards) + (silentMs < 20000 ? '' : ', nothing heard for ' + age(silentMs)));
    set('age', oldest === null ? complete + ' of ' + kinds.length + ' kinds' : age(oldest), oldest === null ? 'warm' : oldest < 1000 ? 'good' : oldest < 60000 ? 'warm' : 'bad');
    if (oldest !== null) chart('age-chart', [Math.max(0, oldest - 1000)]);
    set('unsettled', count(sum('unsettled')));
    set('pending', (status.pendingBytes / 1048576).toFixed(1) + ' MiB');
    chart('unsettled-chart', [sum('unsettled')]);
    const broken = status.broken.map((group) => group.groupVersion + ' cannot be discovered: ' + group.error);
    const storage = status.storage.open ? 'storage takes no writes for ' + age(Math.max(1000, status.storage.failingMs)) + ', changes wait: ' + status.storage.error : null;
    const pools = (status.pools ?? []).filter((pool) => pool.error !== null).map((pool) => 'netservice ' + pool.document + ' is not stored: ' + pool.error);
    set('notes', [status.error, storage, status.shards?.waits, ...broken, ...status.warnings, ...pools].filter(Boolean).join(String.fromCharCode(10)));
    const body = document.createElement('tbody');
    for (const kind of kinds.sort((a, b) => (a.error === null) - (b.error === null) || b.objects - a.objects || (a.id < b.id ? -1 : 1))) {
      const row = body.insertRow();
      cell(row, kind.id);
      cell(row, kind.state, kind.state === 'watching' ? 'good' : kind.state === 'waiting' ? 'bad' : 'warm');
      cell(row, count(kind.objects), 'n');
      cell(row, count(kind.unsettled), kind.unsettled === 0 ? 'n quiet' : 'n');
      cell(row, kind.complete ? age(kind.ageMs) : 'not complete', kind.complete && kind.ageMs < 1000 ? 'n' : 'n warm');
      cell(row, kind.watermark ?? '–', 'n wide quiet');
      cell(row, kind.workers, 'n wide quiet');
      cell(row, [kind.error, kind.lagMs < 1000 ? '' : 'watermark waits for ' + age(kind.lagMs) + (kind.lagRevisions === null ? '' : ', ' + count(kind.lagRevisions) + ' revisions behind'), kind.parked ? kind.parked + ' parked' : '', kind.held ? count(kind.held) + ' deletions held: kubefold confirm ' + kind.id : '', kind.damaged ? kind.damaged + ' unreadable' : ''].filter(Boolean).join(', '), 'bad');
    }
    body.id = 'kinds';
    at('kinds').replaceWith(body);
    showAudit(status.audit);
    set('left-out', status.left.length + ' kinds left out');
    at('left').replaceChildren(...status.left.map(({ id, why }) => { const li = document.createElement('li'); li.textContent = id + ': ' + why; return li; }));
  }

  async function get(path) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(path + ' was answered with ' + answer.status);
    return answer;
  }
  async function show() {
    if (!document.hidden) {
      try {
        showStatus(await (await get('status.json')).json());
        showFlow(totalsOf(await (await get('metrics')).text()));
      } catch {
        set('phase', 'no answer', 'bad');
        set('line', 'kubefold does not answer; what is shown is what it said last');
      }
    }
    setTimeout(show, EVERY_MS);
  }
  show();
</script>
</html>
`;
