// The NDJSON lines of --json: src/event/item-json.ts says what is in them.

export { itemLine, jsonLine, jsonValue, type LineType } from '../event/item-json.ts';
