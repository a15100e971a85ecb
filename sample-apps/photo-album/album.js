// The album: a Photo entity for each photo, its pictures as its children, and the list of the newest in the cache.
import { datastore, memcache } from 'appengine';

const LIST_KEY = 'newest';
const LIST_SECONDS = 300;
const LOCK_SECONDS = 2;

const photoKey = (id) => datastore.key('Photo', BigInt(id));
const pictureKey = (id, size) => datastore.key('Photo', BigInt(id), 'Picture', size);

/** The newest photos, and whether the cache had them. */
export async function newestPhotos() {
  const cached = await memcache.get(LIST_KEY).catch(() => undefined);
  if (typeof cached === 'string') return { photos: JSON.parse(cached), isCached: true };
  const { entities } = await datastore.gql('SELECT * FROM Photo ORDER BY at DESC LIMIT 60');
  const photos = entities.map(photoOf);
  // `add`, not `set`: it fails while the lock of a change is there.
  await memcache.add(LIST_KEY, JSON.stringify(photos), { expirationSeconds: LIST_SECONDS }).catch(() => undefined);
  return { photos, isCached: false };
}

export async function addPhoto({ title, author, authorId, full, thumbnail }) {
  const [key] = await datastore.allocateIds(datastore.key('Photo'), 1);
  await datastore.transaction((transaction) => {
    transaction.insert({
      key,
      properties: { title, author, authorId, at: new Date(), width: full.width, height: full.height },
      unindexed: ['title', 'author', 'width', 'height'],
    });
    for (const [size, { image }] of Object.entries({ full, thumbnail })) {
      transaction.insert({ key: pictureKey(key.id, size), properties: { image }, unindexed: ['image'] });
    }
  });
  await forgetList();
  return String(key.id);
}

/** Undefined when there is none. */
export async function photoById(id) {
  const entity = await datastore.get(photoKey(id));
  return entity && photoOf(entity);
}

/** The bytes of a picture, `full` or `thumbnail`. */
export async function pictureOf(id, size) {
  return (await datastore.get(pictureKey(id, size)))?.properties.image;
}

export async function deletePhoto(id) {
  await datastore.transaction((transaction) => {
    for (const key of [photoKey(id), pictureKey(id, 'full'), pictureKey(id, 'thumbnail')]) transaction.delete(key);
  });
  await forgetList();
}

async function forgetList() {
  // Without the cache the list is old for LIST_SECONDS at most.
  await memcache.delete(LIST_KEY, { lockSeconds: LOCK_SECONDS }).catch((error) => console.error(error));
}

function photoOf({ key, properties: { title, author, authorId, at, width, height } }) {
  return { id: String(key.id), title, author, authorId, at: at.toISOString(), width, height };
}
