/** The status page: one file, no network but /status.json, works without the internet. */
export const STATUS_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>kubefold</title>
<meta name="viewport" content="width=device-width">
<style>
  :root { color-scheme: light dark; --quiet: #8888; --good: #2a9d5c; --bad: #d1495b; --warm: #d98e04 }
  body { font: 14px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.3rem; margin: 0 } header p { margin: .2rem 0 1.2rem; color: GrayText }
  .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .8rem; margin-bottom: 1.2rem }
  .tile { border: 1px solid var(--quiet); border-radius: .5rem; padding: .6rem .8rem }
  .tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums } .tile span { color: GrayText }
  svg { width: 100%; height: 2.2rem; display: block } polyline { fill: none; stroke: var(--good); stroke-width: 1.5 }
  table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; color: GrayText }
  th, td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--quiet); vertical-align: top }
  .n { text-align: right; font-variant-numeric: tabular-nums } .good { color: var(--good) } .bad { color: var(--bad) } .warm { color: var(--warm) }
</style>
<header><h1>kubefold <span id="cluster"></span></h1><p id="line">connecting …</p></header>
<div class="tiles">
  <div class="tile"><b id="objects">–</b><span>objects</span></div>
  <div class="tile"><b id="unsettled">–</b><span>waiting to be written</span><svg viewBox="0 0 120 30" preserveAspectRatio="none"><polyline id="chart"/></svg></div>
  <div class="tile"><b id="age">–</b><span>age of the copy</span></div>
  <div class="tile"><b id="pending">–</b><span>pending bodies</span></div>
</div>
<p id="notes" class="bad"></p>
<table><thead><tr><th>kind<th>state<th class="n">objects<th class="n">to write<th class="n">age<th>complete to<th>note</tr></thead><tbody id="kinds"></tbody></table>
<script>
  const at = (id) => document.getElementById(id);
  const history = [];
  const seconds = (ms) => ms === null ? '–' : ms < 1000 ? 'current' : ms < 600000 ? (ms / 1000).toFixed(1) + ' s' : Math.round(ms / 60000) + ' min';
  function cell(row, text, name) { const td = row.insertCell(); td.textContent = text; if (name) td.className = name; }
  async function show() {
    try {
      const status = await (await fetch('status.json')).json();
      const sum = (key) => status.kinds.reduce((total, kind) => total + kind[key], 0);
      const complete = status.kinds.length > 0 && status.kinds.every((kind) => kind.complete);
      const age = complete ? Math.max(...status.kinds.map((kind) => kind.ageMs)) : null;
      at('cluster').textContent = status.cluster;
      at('line').textContent = status.phase + ' · ' + status.address + ' · ' + status.kinds.length + ' kinds, ' + status.left.length + ' left out';
      at('objects').textContent = sum('objects').toLocaleString();
      at('unsettled').textContent = sum('unsettled').toLocaleString();
      at('age').textContent = complete ? seconds(age) : 'not complete';
      at('pending').textContent = (status.pendingBytes / 1048576).toFixed(1) + ' MiB';
      at('notes').textContent = [status.error, ...status.broken.map((group) => group.groupVersion + ': ' + group.error), ...status.warnings].filter(Boolean).join(' · ');
      history.push(sum('unsettled')); if (history.length > 120) history.shift();
      const top = Math.max(1, ...history);
      at('chart').setAttribute('points', history.map((value, index) => index + ',' + (29 - 28 * value / top)).join(' '));
      const body = document.createElement('tbody');
      for (const kind of status.kinds.sort((a, b) => b.objects - a.objects || (a.id < b.id ? -1 : 1))) {
        const row = body.insertRow();
        cell(row, kind.id);
        cell(row, kind.state, kind.state === 'watching' ? 'good' : kind.state === 'waiting' ? 'bad' : 'warm');
        cell(row, kind.objects.toLocaleString(), 'n'); cell(row, kind.unsettled.toLocaleString(), 'n'); cell(row, kind.complete ? seconds(kind.ageMs) : '–', 'n');
        cell(row, kind.watermark ?? '–'); cell(row, [kind.error, kind.parked ? kind.parked + ' parked' : ''].filter(Boolean).join(' '), 'bad');
      }
      body.id = 'kinds'; at('kinds').replaceWith(body);
    } catch { at('line').textContent = 'kubefold does not answer'; }
    setTimeout(show, 1000);
  }
  show();
</script>
</html>
`;
