import * as v from 'valibot';

/**
 * The two halves of a message that the loader completes with key path, position and value found: the rule as a phrase
 * after the key ("must be …"), and the way out as sentences.
 */
export function problem(rule: string, fix: string): string {
  return `${rule}\n${fix}`;
}

/** The opposite of problem(); valibot's own messages (there should be none) become a rule without a way out. */
export function splitProblem(message: string): { readonly rule: string; readonly fix: string } {
  const [rule = '', fix = ''] = message.split('\n', 2);
  return { rule, fix };
}

export function described<Schema extends v.GenericSchema>(schema: Schema, description: string) {
  return v.pipe(schema, v.description(description));
}

/** A mapping with known keys, all of which may be left out. */
export function section<Entries extends v.ObjectEntries>(description: string, entries: Entries) {
  const keys = Object.keys(entries).join(', ');
  const schema = v.strictObject(entries, problem('must be a mapping', `Its keys are ${keys}.`));
  return v.optional(described(schema, description), {} as v.InferInput<typeof schema>);
}

/** A value or null, null meaning what the description says. */
export function nullable<Schema extends v.GenericSchema, const Default extends v.InferInput<Schema> | null>(
  schema: Schema,
  fallback: Default,
  description: string,
) {
  return v.optional(described(v.nullable(schema), description), fallback);
}

/** A whole number within bounds. `bare` leaves the description to a wrapper. */
export function integer(options: {
  readonly min: number;
  readonly max: number;
  readonly fix?: string;
  readonly description?: string;
  readonly bare?: boolean;
}) {
  const { min, max } = options;
  const rule = problem(`must be a whole number from ${min} to ${max}`, options.fix ?? 'Correct it, or leave it out for the default.');
  const schema = v.pipe(v.number(rule), v.integer(rule), v.minValue(min, rule), v.maxValue(max, rule));
  return v.pipe(schema, v.description(options.description ?? `A whole number from ${min} to ${max}.`));
}

/** A share between 0 and 1. */
export function share(description: string) {
  const rule = problem('must be a share from 0 to 1', 'Write 0.3 for 30 %.');
  return v.pipe(v.number(rule), v.minValue(0, rule), v.maxValue(1, rule), v.description(description));
}

export function choice<const Options extends readonly string[]>(options: Options, description: string) {
  const schema = v.picklist(options, problem(`must be one of ${options.join(', ')}`, 'Correct it, or leave it out for the default.'));
  return v.pipe(schema, v.description(description));
}

/** Any text with something in it. */
export function text(fix: string) {
  const rule = problem('must be a text, not empty', fix);
  return v.pipe(v.string(rule), v.minLength(1, rule));
}

/** A list with at least one item: an empty one would mirror nothing, which nobody means. */
export function nonEmptyList<Item extends v.GenericSchema>(item: Item, what: string, example: string) {
  return v.pipe(
    v.array(item, problem(`must be a list of ${what}`, `For example [${example}].`)),
    v.minLength(1, problem(`must name at least one of the ${what}`, `For example [${example}], or leave it out for all.`)),
  );
}
