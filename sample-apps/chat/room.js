// The room's messages: kept in the datastore, and noticed by every instance that has somebody in the room.
import { datastore, memcache } from 'appengine';

const HISTORY = 50;
const PRUNE_EVERY = 50;
const CHANGES_KEY = 'chat-changes';

const room = datastore.key('Room', 'main');
const NEWEST = 'SELECT * FROM Message WHERE __key__ HAS ANCESTOR @room ORDER BY at DESC LIMIT 50';
const OLD = 'SELECT __key__ FROM Message WHERE __key__ HAS ANCESTOR @room ORDER BY at DESC LIMIT 200 OFFSET 500';

export class Room {
  /** Ids of messages that were announced or were there before, newest last. */
  #seen = new Set();
  #changes;
  #posts = 0;
  #refreshing;
  #again = false;
  #announce;

  /** `announce` is called once with each message that this instance did not know of. */
  constructor(announce) {
    this.#announce = announce;
  }

  /** The newest messages, oldest first. */
  async history() {
    const { entities } = await datastore.gql(NEWEST, { room });
    return entities.map(messageOf).reverse();
  }

  async post(author, text) {
    await datastore.insert({
      key: datastore.key('Room', 'main', 'Message'),
      properties: { author, text, at: new Date() },
      unindexed: ['author', 'text'],
    });
    // Only a hint to the other instances: without it they hear of the message with the next one.
    await memcache.incr(CHANGES_KEY, 1, { initial: 0 }).catch(() => undefined);
    await this.refresh();
    if (++this.#posts % PRUNE_EVERY === 0) await prune();
  }

  /** Notes what is there, announcing none of it. */
  async open() {
    for (const { id } of await this.history()) this.#remember(id);
  }

  /** Looks whether another instance wrote something. */
  async poll() {
    const changes = await memcache.get(CHANGES_KEY);
    if (changes === this.#changes) return;
    this.#changes = changes;
    await this.refresh();
  }

  /** Announces what is new; calls during a call make it look once more. */
  async refresh() {
    this.#again = true;
    this.#refreshing ??= this.#refreshAll().finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  async #refreshAll() {
    while (this.#again) {
      this.#again = false;
      for (const message of await this.history()) {
        if (this.#seen.has(message.id)) continue;
        this.#remember(message.id);
        this.#announce(message);
      }
    }
  }

  #remember(id) {
    this.#seen.add(id);
    if (this.#seen.size > HISTORY * 4) this.#seen.delete(this.#seen.values().next().value);
  }
}

/** Messages beyond the newest 500 go, 200 at a time. */
async function prune() {
  const { entities } = await datastore.gql(OLD, { room });
  await datastore.transaction((transaction) => {
    for (const { key } of entities) transaction.delete(key);
  });
}

function messageOf({ key, properties: { author, text, at } }) {
  return { id: String(key.id), author, text, at: at.toISOString() };
}
