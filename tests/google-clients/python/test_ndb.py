"""google-cloud-ndb: models, properties, transactions, queries, metadata."""

import datetime
import threading
import unittest

from google.api_core import exceptions as core_exceptions
from google.cloud import ndb
from google.cloud.ndb import metadata

from emulator import PROJECT, unique_name


def model(stem, **properties):
    """A model class whose kind no other run uses."""
    return type(unique_name(stem), (ndb.Model,), properties)


class Address(ndb.Model):
    city = ndb.StringProperty()
    street = ndb.StringProperty()


class Phone(ndb.Model):
    number = ndb.StringProperty()
    kind = ndb.StringProperty()


class Case(unittest.TestCase):
    namespace = None

    def setUp(self):
        self.client = ndb.Client(project=PROJECT)
        # Without its caches: what is read comes from the server.
        context = self.client.context(cache_policy=False, namespace=self.namespace)
        self.context = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)


class ModelsTest(Case):
    def test_put_get_delete(self):
        Task = model("Task", text=ndb.StringProperty(), done=ndb.BooleanProperty(default=False))
        key = Task(id="sample", text="Buy milk").put()
        self.assertEqual((key.get().text, key.get().done), ("Buy milk", False))
        self.assertEqual(Task.get_by_id("sample").key, key)
        self.assertEqual(key.app(), PROJECT)
        key.delete()
        self.assertIsNone(key.get())

    def test_every_property(self):
        properties = dict(
            integer=ndb.IntegerProperty(),
            double=ndb.FloatProperty(),
            text=ndb.TextProperty(),
            blob=ndb.BlobProperty(),
            packed=ndb.BlobProperty(compressed=True),
            packed_text=ndb.TextProperty(compressed=True),
            json=ndb.JsonProperty(),
            packed_json=ndb.JsonProperty(compressed=True),
            pickled=ndb.PickleProperty(),
            at=ndb.DateTimeProperty(),
            day=ndb.DateProperty(),
            time=ndb.TimeProperty(),
            place=ndb.GeoPtProperty(),
            key_=ndb.KeyProperty(),
            tags=ndb.StringProperty(repeated=True),
            none=ndb.StringProperty(),
        )
        Everything = model("Everything", **properties)
        values = dict(
            integer=-(2**63),
            double=2.5,
            text="long " * 1000,
            blob=bytes(range(256)),
            packed=b"packed " * 10_000,
            packed_text="packed " * 1000,
            json={"a": [1, {"b": None}]},
            packed_json={"a": "x" * 10_000},
            pickled={"a": (1, 2)},
            at=datetime.datetime(2024, 2, 29, 12, 34, 56, 789012),
            day=datetime.date(2024, 2, 29),
            time=datetime.time(12, 34, 56),
            place=ndb.GeoPt(40.5, -74.25),
            key_=ndb.Key("List", 1, "Task", "sample"),
            tags=["a", "b"],
            none=None,
        )
        got = Everything(**values).put().get()
        self.assertEqual({name: getattr(got, name) for name in values}, values)

    def test_structured_properties(self):
        Person = model(
            "Person",
            name=ndb.StringProperty(),
            address=ndb.StructuredProperty(Address),
            phones=ndb.StructuredProperty(Phone, repeated=True),
            local=ndb.LocalStructuredProperty(Address, compressed=True),
        )
        key = Person(
            name="Ada",
            address=Address(city="London", street="Dorset"),
            phones=[Phone(number="1", kind="home"), Phone(number="2", kind="work")],
            local=Address(city="Rome"),
        ).put()
        got = key.get()
        self.assertEqual((got.address.city, got.local.city), ("London", "Rome"))
        self.assertEqual([phone.number for phone in got.phones], ["1", "2"])
        self.assertEqual(Person.query(Person.address.city == "London").fetch(keys_only=True), [key])
        self.assertEqual(Person.query(Person.phones.number == "2").fetch(keys_only=True), [key])
        # Whether one and the same phone has both is what the client itself finds out, from whole entities.
        whole = lambda phone: [person.key for person in Person.query(Person.phones == phone).fetch()]
        self.assertEqual(whole(Phone(number="1", kind="home")), [key])
        self.assertEqual(whole(Phone(number="1", kind="work")), [])

    def test_compressed_values_stay_compressed_in_the_store(self):
        Packed = model("Packed", data=ndb.BlobProperty(compressed=True))
        data = b"x" * 3_000_000
        key = Packed(data=data).put()
        self.assertEqual(key.get().data, data)
        Many = model("Many", data=ndb.BlobProperty(compressed=True, repeated=True))
        self.assertEqual(Many(data=[b"a" * 5000, b"b" * 5000]).put().get().data, [b"a" * 5000, b"b" * 5000])

    def test_large_text(self):
        Large = model("Large", text=ndb.TextProperty())
        self.assertEqual(Large(text="é" * 200_000).put().get().text, "é" * 200_000)

    def test_many_at_once_and_allocated_ids(self):
        Task = model("Task", rank=ndb.IntegerProperty())
        keys = ndb.put_multi([Task(rank=rank) for rank in range(20)])
        self.assertEqual([task.rank for task in ndb.get_multi(keys)], list(range(20)))
        allocated = Task.allocate_ids(20)
        self.assertEqual(len(set(allocated) | set(keys)), 40)
        ndb.delete_multi(keys)
        self.assertEqual(ndb.get_multi(keys), [None] * 20)

    def test_expando_and_get_or_insert(self):
        Free = type(unique_name("Free"), (ndb.Expando,), {})
        got = Free(id="a", anything=[1, 2], nested=Free(x=1)).put().get()
        self.assertEqual((got.anything, got.nested.x), ([1, 2], 1))
        Task = model("Task", rank=ndb.IntegerProperty())
        self.assertEqual(Task.get_or_insert("a", rank=1).rank, 1)
        self.assertEqual(Task.get_or_insert("a", rank=2).rank, 1)


class QueriesTest(Case):
    def setUp(self):
        super().setUp()
        self.Item = model(
            "Item", rank=ndb.IntegerProperty(), group=ndb.StringProperty(), tags=ndb.StringProperty(repeated=True)
        )
        rows = {"a": (1, "x", ["p", "q"]), "b": (2, "x", ["p"]), "c": (3, "y", ["q"]), "d": (4, "y", [])}
        ndb.put_multi([self.Item(id=name, rank=row[0], group=row[1], tags=row[2]) for name, row in rows.items()])

    def names(self, query, **options):
        return [key.id() for key in query.fetch(keys_only=True, **options)]

    def test_filters(self):
        Item = self.Item
        cases = [
            (Item.rank == 3, ["c"]),
            (Item.rank < 3, ["a", "b"]),
            (Item.rank <= 3, ["a", "b", "c"]),
            (Item.rank > 3, ["d"]),
            (Item.rank >= 3, ["c", "d"]),
            (Item.rank != 3, ["a", "b", "d"]),
            (Item.rank.IN([1, 4]), ["a", "d"]),
            (Item.rank.NOT_IN([1, 4]), ["b", "c"]),
            (Item.tags == "q", ["a", "c"]),
            (ndb.AND(Item.rank > 1, Item.rank < 4), ["b", "c"]),
            (ndb.OR(Item.rank == 1, Item.group == "y"), ["a", "c", "d"]),
            (ndb.AND(Item.group == "x", ndb.OR(Item.rank == 1, Item.rank == 4)), ["a"]),
        ]
        for node, expected in cases:
            with self.subTest(node=node):
                self.assertEqual(sorted(self.names(Item.query(node))), expected)

    def test_orders_projections_and_counts(self):
        Item = self.Item
        self.assertEqual(self.names(Item.query().order(-Item.rank)), ["d", "c", "b", "a"])
        self.assertEqual(self.names(Item.query().order(-Item.group, Item.rank)), ["c", "d", "a", "b"])
        self.assertEqual(self.names(Item.query().order(Item.rank), limit=2, offset=1), ["b", "c"])
        projected = Item.query().order(Item.rank).fetch(projection=[Item.rank, Item.group])
        self.assertEqual([(item.rank, item.group) for item in projected], [(1, "x"), (2, "x"), (3, "y"), (4, "y")])
        distinct = Item.query(projection=[Item.group], distinct_on=[Item.group]).fetch()
        self.assertEqual([item.group for item in distinct], ["x", "y"])
        self.assertEqual(Item.query(Item.rank > 1).count(), 3)
        self.assertEqual(Item.query().count(limit=2), 2)
        self.assertEqual(Item.query(Item.rank == 2).get().key.id(), "b")
        self.assertEqual(ndb.gql(f"SELECT * FROM {Item._get_kind()} WHERE rank > :1 ORDER BY rank DESC", 2).fetch()[0].rank, 4)

    def test_pages_and_cursors(self):
        Item = self.Item
        query = Item.query().order(Item.rank)
        first, cursor, more = query.fetch_page(3)
        self.assertEqual(([item.rank for item in first], more), ([1, 2, 3], True))
        last, cursor, more = query.fetch_page(3, start_cursor=cursor)
        self.assertEqual(([item.rank for item in last], more), ([4], False))
        restored = ndb.Cursor(urlsafe=query.fetch_page(2)[1].urlsafe())
        self.assertEqual([item.rank for item in query.fetch_page(2, start_cursor=restored)[0]], [3, 4])
        pages = [item.rank for item in query.iter(start_cursor=restored)]
        self.assertEqual(pages, [3, 4])
        either = Item.query(ndb.OR(Item.rank == 1, Item.rank == 3, Item.group == "y")).order(Item.rank)
        self.assertEqual([item.rank for item in either.fetch()], [1, 3, 4])

    def test_ancestors(self):
        Item = self.Item
        parent = ndb.Key(unique_name("List"), "one")
        ndb.put_multi([Item(id=name, parent=parent, rank=rank) for name, rank in (("m", 2), ("n", 1))])
        self.assertEqual(self.names(Item.query(ancestor=parent)), ["m", "n"])
        self.assertEqual(self.names(Item.query(ancestor=parent).order(Item.rank)), ["n", "m"])

    def test_long_results(self):
        Many = model("Many", rank=ndb.IntegerProperty())
        for start in range(0, 900, 450):
            ndb.put_multi([Many(id=start + index + 1, rank=start + index) for index in range(450)])
        self.assertEqual([item.rank for item in Many.query().order(Many.rank)], list(range(900)))
        self.assertEqual(Many.query().fetch(offset=890, keys_only=True)[0].id(), 891)
        self.assertEqual(Many.query().count(), 900)


class TransactionsTest(Case):
    def setUp(self):
        super().setUp()
        self.Account = model("Account", balance=ndb.IntegerProperty())

    def test_commit_rollback_and_retry(self):
        key = self.Account(balance=1).put()

        def change(by, fail=False):
            account = key.get()
            account.balance += by
            account.put()
            if fail:
                raise ValueError("changed my mind")

        ndb.transaction(lambda: change(1))
        self.assertEqual(key.get().balance, 2)
        with self.assertRaises(ValueError):
            ndb.transaction(lambda: change(1, fail=True))
        self.assertEqual(key.get().balance, 2)

        attempts = []

        def fails_once():
            attempts.append(1)
            change(1)
            if len(attempts) == 1:
                raise core_exceptions.Aborted("somebody else was first")

        ndb.transaction(fails_once, retries=3)
        self.assertEqual((key.get().balance, len(attempts)), (3, 2))

    def test_parallel_transactions(self):
        key = self.Account(balance=0).put()

        def increment():
            with self.client.context(cache_policy=False):

                def change():
                    account = key.get()
                    account.balance += 1
                    account.put()

                ndb.transaction(change, retries=30)

        threads = [threading.Thread(target=increment) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(key.get().balance, 3)

    def test_queries_inside_and_read_only(self):
        Account = self.Account
        key = Account(balance=5).put()
        self.assertEqual(ndb.transaction(lambda: [a.balance for a in Account.query().fetch()]), [5])
        self.assertEqual(ndb.transaction(lambda: key.get().balance, read_only=True), 5)
        made = ndb.transaction(lambda: Account(balance=7).put())
        self.assertEqual(made.get().balance, 7)

    def test_decorators_and_nesting(self):
        key = self.Account(balance=1).put()

        @ndb.transactional()
        def double():
            account = key.get()
            account.balance *= 2
            account.put()

        @ndb.transactional()
        def twice():
            double_again = key.get()
            double_again.balance += 10
            double_again.put()

        double()
        twice()
        self.assertEqual(key.get().balance, 12)


class MetadataTest(Case):
    def test_namespaces_kinds_and_properties(self):
        namespace = unique_name("meta")
        Animal = model("Animal", legs=ndb.IntegerProperty(), name=ndb.StringProperty())
        Animal(id="cat", namespace=namespace, legs=4, name="Tom").put()
        self.assertIn(namespace, metadata.get_namespaces())
        self.assertIn(Animal._get_kind(), self.inside(namespace, metadata.get_kinds))
        kind = Animal._get_kind()
        self.assertEqual(sorted(self.inside(namespace, lambda: metadata.get_properties_of_kind(kind))), ["legs", "name"])
        representations = self.inside(namespace, lambda: metadata.get_representations_of_kind(kind))
        self.assertEqual(representations, {"legs": ["INT64"], "name": ["STRING"]})

    def inside(self, namespace, call):
        with self.context.new(namespace=namespace).use():
            return call()

    def test_entities_of_a_namespace_are_apart(self):
        namespace = unique_name("space")
        Task = model("Task", rank=ndb.IntegerProperty())
        Task(id="a", namespace=namespace, rank=1).put()
        self.assertEqual(Task.query().fetch(), [])
        (task,) = Task.query(namespace=namespace).fetch()
        self.assertEqual((task.rank, task.key.namespace()), (1, namespace))


class NamedDatabaseTest(unittest.TestCase):
    def test_is_a_database_of_its_own(self):
        Task = model("Task", rank=ndb.IntegerProperty())
        with ndb.Client(project=PROJECT, database="client-tests").context(cache_policy=False):
            key = Task(id="a", rank=1).put()
            self.assertEqual((key.get().rank, key.database()), (1, "client-tests"))
            self.assertEqual(ndb.transaction(lambda: Task.query().count()), 1)
        with ndb.Client(project=PROJECT).context(cache_policy=False):
            self.assertIsNone(Task.get_by_id("a"))


if __name__ == "__main__":
    unittest.main()
