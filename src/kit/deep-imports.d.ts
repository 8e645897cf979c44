/**
 * Single files of packages that have no entry of their own, with the types of the package. Every start of the process pays for what it
 * imports: undici's index costs 66 ms of CPU and its pool 27, prom-client's index 37 and these three files 4 (Node 26). The versions are pinned, and a test starts the program.
 */
declare module 'undici/lib/dispatcher/pool.js' {
  import { Pool } from 'undici';

  export default Pool;
}
declare module 'undici/lib/core/connect.js' {
  import { buildConnector } from 'undici';

  export default buildConnector;
}
declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client';

  export default Registry;
}
declare module 'prom-client/lib/counter.js' {
  import { Counter } from 'prom-client';

  export default Counter;
}
declare module 'prom-client/lib/gauge.js' {
  import { Gauge } from 'prom-client';

  export default Gauge;
}
