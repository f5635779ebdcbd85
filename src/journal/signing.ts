// Ed25519 keys that sign seals: PKCS8 PEM for the private one, SPKI PEM for the public one.

import crypto, { type KeyObject } from 'node:crypto';
import fs from 'node:fs';
import { SEAL_KEY_ID_LENGTH } from '../../layout/seal.ts';
import { CausewayError, messageOf } from '../base/errors.ts';

const SIGN_DOMAIN = Buffer.from('causeway/sign/v1');
const RAW_LENGTH = 32;
const FILE_LENGTH_MAX = 65536;
/** The field's prime: 2^255 - 19 (RFC 8032, section 5.1). */
const PRIME = (1n << 255n) - 19n;
/** y of the points whose order is 1, 2, 4 or 8: whoever has such a "key" has signed everything. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  PRIME - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]);

export interface PublicKey {
  key: KeyObject;
  id: Uint8Array;
}

/** Makes a pair: `file` (0600) and `file`.pub. Replaces nothing. Answers the key's id. */
export function generateKey(file: string): string {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
  const both = [
    { name: file, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }), mode: 0o600 },
    { name: `${file}.pub`, pem: publicKey.export({ type: 'spki', format: 'pem' }), mode: 0o644 },
  ];
  const made: string[] = [];
  try {
    for (const { name, pem, mode } of both) {
      const fd = fs.openSync(name, 'wx', mode);
      made.push(name);
      try {
        fs.writeFileSync(fd, pem);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    }
  } catch (error) {
    // Half a pair is none, and what was there before is not ours.
    for (const name of made) fs.rmSync(name, { force: true });
    const exists = (error as { code?: unknown }).code === 'EEXIST';
    throw new CausewayError(exists ? 'CONFIG_INVALID' : 'PATH_DENIED', `key ${file}: ${messageOf(error)}`, {
      hint: exists ? 'A key is never replaced: choose another name.' : '',
      cause: error,
    });
  }
  return Buffer.from(keyId(rawOf(publicKey))).toString('hex');
}

/** The private key's PEM, checked. @throws CausewayError CONFIG_INVALID, PATH_MISSING, PATH_DENIED. */
export function readSigningKey(file: string): string {
  const pem = readPem(file);
  try {
    if (crypto.createPrivateKey(pem).asymmetricKeyType === 'ed25519') return pem;
  } catch (error) {
    throw new CausewayError('CONFIG_INVALID', `signingKey ${file}: no private key in PEM: ${messageOf(error)}`);
  }
  throw new CausewayError('CONFIG_INVALID', `signingKey ${file}: not an Ed25519 key`, {
    hint: '`causeway keygen` makes one.',
  });
}

/** @throws CausewayError CONFIG_INVALID (also for keys that everybody can sign for), PATH_MISSING, PATH_DENIED. */
export function readPublicKey(file: string): PublicKey {
  const pem = readPem(file);
  let key: KeyObject;
  try {
    key = crypto.createPublicKey(pem);
  } catch (error) {
    throw new CausewayError('CONFIG_INVALID', `key ${file}: no public key in PEM: ${messageOf(error)}`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new CausewayError('CONFIG_INVALID', `key ${file}: not Ed25519`);
  const raw = rawOf(key);
  const why = weaknessOf(raw);
  if (why !== undefined) throw new CausewayError('CONFIG_INVALID', `key ${file}: ${why}`);
  return { key, id: keyId(raw) };
}

/** Why a public key must not be trusted; undefined if it may. */
export function weaknessOf(raw: Uint8Array): string | undefined {
  const y = BigInt(`0x${Buffer.from(raw).reverse().toString('hex')}`) & ((1n << 255n) - 1n);
  if (y >= PRIME) return 'not canonical';
  return SMALL_ORDER_Y.has(y) ? 'of small order: everybody can sign for it' : undefined;
}

export interface Signer {
  id: Uint8Array;
  sign(head: Uint8Array): Uint8Array;
}

export function makeSigner(pem: string): Signer {
  const key = crypto.createPrivateKey(pem);
  const id = keyId(rawOf(crypto.createPublicKey(key)));
  return { id, sign: (head) => crypto.sign(null, Buffer.concat([SIGN_DOMAIN, head]), key) };
}

export function isSignedBy(key: PublicKey, head: Uint8Array, signature: Uint8Array): boolean {
  return crypto.verify(null, Buffer.concat([SIGN_DOMAIN, head]), key.key, signature);
}

function keyId(raw: Uint8Array): Uint8Array {
  return crypto.createHash('sha256').update(raw).digest().subarray(0, SEAL_KEY_ID_LENGTH);
}

/** The key's 32 bytes: the last of its SPKI encoding (RFC 8410, section 4). */
function rawOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ type: 'spki', format: 'der' }).subarray(-RAW_LENGTH));
}

function readPem(file: string): string {
  try {
    if (fs.statSync(file).size > FILE_LENGTH_MAX) throw new Error(`longer than ${FILE_LENGTH_MAX} bytes`);
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as { code?: unknown }).code === 'ENOENT' ? 'PATH_MISSING' : 'PATH_DENIED';
    throw new CausewayError(code, `key ${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
