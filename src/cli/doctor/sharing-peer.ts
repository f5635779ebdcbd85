// The second process of the check of shared arenas: sends back what it gets, until the end.

import { STATUS_CLOSED } from '../../../layout/status.ts';
import { connect } from '../../queue/connection.ts';

const connection = connect(process.argv[2] ?? '');
const consumer = connection.queue('there').consumer();
const producer = connection.queue('back').producer();
const sendBack = (address: number, length: number): void => {
  producer.send(connection.arena.bytes.slice(address, address + length));
};
while (consumer.drain(sendBack) !== STATUS_CLOSED) consumer.waitForRecord(1000);
consumer.close();
producer.close();
connection.close();
