// The guestbook: an ordinary Express app. 'appengine' is provided by the platform and needs no installing.
import { datastore, instance } from 'appengine';
import express from 'express';
import { page } from './page.js';

const app = express();
app.use(express.urlencoded({ extended: false, limit: '64kb' }));

// Greetings are children of their guestbook, so that one ancestor query sees every greeting that was ever stored.
const guestbook = datastore.key('Guestbook', 'main');

app.get('/', async (request, response) => {
  const { entities } = await datastore.gql('SELECT * FROM Greeting WHERE __key__ HAS ANCESTOR @guestbook ORDER BY date DESC LIMIT 10', {
    guestbook,
  });
  const greetings = entities.map((entity) => entity.properties);
  response.send(page({ greetings, instance }));
});

app.post('/sign', async (request, response) => {
  const author = text(request.body?.author, 100);
  const content = text(request.body?.content, 5000);
  if (content === '') {
    response.status(400).send(page({ greetings: [], instance, problem: 'A greeting needs some text.' }));
    return;
  }
  await datastore.transaction((transaction) => {
    transaction.insert({
      key: datastore.key('Guestbook', 'main', 'Greeting'),
      properties: { author: author || 'Somebody', content, date: new Date() },
      unindexed: ['content'],
    });
  });
  response.redirect(303, '/');
});

app.use((error, request, response, next) => {
  console.error(error);
  if (response.headersSent) return next(error);
  response.status(500).send(page({ greetings: [], instance, problem: 'The guestbook cannot be read just now. Please try again.' }));
});

app.listen(process.env.PORT, () => console.log('The guestbook is open.'));

function text(value, charactersMax) {
  return typeof value === 'string' ? value.trim().slice(0, charactersMax) : '';
}
