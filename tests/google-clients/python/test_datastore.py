"""google-cloud-datastore, over gRPC, or over HTTP where GOOGLE_CLOUD_DISABLE_GRPC is set.

Over HTTP it makes exceptions from the status: Conflict where it is Aborted over gRPC, BadRequest for InvalidArgument. The
former are the latter's base classes.
"""

import datetime
import os
import threading
import unittest

from google.api_core import exceptions
from google.cloud import datastore
from google.cloud.datastore import aggregation, helpers
from google.cloud.datastore.query import And, Or, PropertyFilter

from emulator import PROJECT, unique_name

UTC = datetime.timezone.utc


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = datastore.Client(project=PROJECT)

    def put(self, kind, name, exclude=(), **properties):
        entity = datastore.Entity(self.client.key(kind, name), exclude_from_indexes=exclude)
        entity.update(properties)
        self.client.put(entity)
        return entity

    def seed(self, stem, rows):
        kind = unique_name(stem)
        entities = []
        for name, properties in rows.items():
            entity = datastore.Entity(self.client.key(kind, name))
            entity.update(properties)
            entities.append(entity)
        self.client.put_multi(entities)
        return kind

    def names(self, results):
        return [entity.key.id_or_name for entity in results]


class TransportTest(Case):
    def test_is_the_one_that_was_asked_for(self):
        self.assertEqual(self.client._use_grpc, not os.environ.get("GOOGLE_CLOUD_DISABLE_GRPC"))


class EntitiesTest(Case):
    def test_put_get_delete(self):
        kind = unique_name("Task")
        task = self.put(kind, "sample", description="Buy milk", done=False)
        got = self.client.get(task.key)
        self.assertEqual(dict(got), {"description": "Buy milk", "done": False})
        self.assertEqual(got.key.project, PROJECT)
        self.client.delete(task.key)
        self.assertIsNone(self.client.get(task.key))

    def test_incomplete_keys_get_ids(self):
        kind = unique_name("Task")
        entities = [datastore.Entity(self.client.key(kind)) for _ in range(3)]
        self.client.put_multi(entities)
        self.assertEqual(len({entity.key.id for entity in entities}), 3)
        self.assertEqual(len(self.client.get_multi([entity.key for entity in entities])), 3)

    def test_allocated_ids_are_given_once(self):
        key = self.client.key(unique_name("Task"))
        keys = self.client.allocate_ids(key, 10)
        self.assertEqual(len({allocated.id for allocated in keys}), 10)

    def test_reserved_ids_are_not_allocated(self):
        kind = unique_name("Task")
        self.client.reserve_ids_sequential(self.client.key(kind, 4000), 10)
        self.client.reserve_ids_multi([self.client.key(kind, 1), self.client.key(kind, 2)])
        allocated = {key.id for key in self.client.allocate_ids(self.client.key(kind), 20)}
        self.assertFalse(allocated & ({1, 2} | set(range(4000, 4010))))

    def test_missing_and_deferred_keys(self):
        kind = unique_name("Task")
        here = self.put(kind, "here").key
        missing = []
        found = self.client.get_multi([here, self.client.key(kind, "gone")], missing=missing)
        self.assertEqual(self.names(found), ["here"])
        self.assertEqual(self.names(missing), ["gone"])

    def test_every_type_of_value(self):
        kind = unique_name("Value")
        inner = datastore.Entity(exclude_from_indexes=("secret",))
        inner.update({"city": "Rome", "secret": "x" * 2000})
        values = {
            "integer": 2**63 - 1,
            "negative": -(2**63),
            "double": 3.0,
            "infinity": float("inf"),
            "text": "naïve 東京 \U0001f600",
            "bytes": bytes(range(256)),
            "none": None,
            "yes": True,
            "at": datetime.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=UTC),
            "before": datetime.datetime(1900, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
            "place": helpers.GeoPoint(40.5, -74.25),
            "key": self.client.key("List", 1, "Task", "sample"),
            "inner": inner,
            "list": [1, "one", None, [2][0], 1.5],
            "empty": [],
            "people": [{"name": "Ada"}, {"name": "Bob"}],
        }
        self.put(kind, "sample", **values)
        got = self.client.get(self.client.key(kind, "sample"))
        self.assertEqual({name: got[name] for name in values}, values)
        self.assertIsInstance(got["double"], float)
        self.assertEqual(got["inner"].exclude_from_indexes, frozenset(("secret",)))

    def test_large_and_unindexed_values(self):
        kind = unique_name("Large")
        text = "x" * 500_000
        self.put(kind, "sample", exclude=("text",), text=text, short="x")
        self.assertEqual(self.client.get(self.client.key(kind, "sample"))["text"], text)
        with self.assertRaisesRegex(exceptions.BadRequest, "longer than 1500 bytes"):
            self.put(kind, "other", text="x" * 1501)
        with self.assertRaises(exceptions.BadRequest):
            self.put(kind, "other", exclude=("a", "b"), a="x" * 600_000, b="x" * 600_000)

    def test_many_large_entities_come_in_several_answers(self):
        kind = unique_name("Large")
        keys = [self.put(kind, number + 1, exclude=("data",), data=b"x" * 1_000_000).key for number in range(6)]
        self.assertEqual(len(self.client.get_multi(keys)), 6)
        self.assertEqual(len(list(self.client.query(kind=kind).fetch())), 6)

    def test_batches_and_errors(self):
        kind = unique_name("Task")
        with self.client.batch() as batch:
            for name in ("a", "b"):
                batch.put(datastore.Entity(self.client.key(kind, name)))
        self.assertEqual(self.names(self.client.query(kind=kind).fetch()), ["a", "b"])
        with self.assertRaisesRegex(exceptions.BadRequest, "reserved"):
            self.put("__mine__", "a")

    def test_reads_the_past(self):
        kind = unique_name("Past")
        self.put(kind, "sample", x=1)
        long_ago = datetime.datetime.now(UTC) - datetime.timedelta(minutes=10)
        self.assertIsNone(self.client.get(self.client.key(kind, "sample"), read_time=long_ago))
        self.assertEqual(list(self.client.query(kind=kind).fetch(read_time=long_ago)), [])


class QueriesTest(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rows = {
            "a": {"rank": 1, "group": "x", "tags": ["p", "q"]},
            "b": {"rank": 2, "group": "x", "tags": ["p"]},
            "c": {"rank": 3, "group": "y", "tags": ["q"]},
            "d": {"rank": 4, "group": "y", "tags": []},
        }
        cls.kind = cls.seed(cls, "Item", rows)

    def find(self, *filters, order=(), **options):
        query = self.client.query(kind=self.kind, order=order)
        for each in filters:
            query.add_filter(filter=each)
        return self.names(query.fetch(**options))

    def test_every_operator(self):
        cases = [
            (("rank", "=", 3), ["c"]),
            (("rank", "<", 3), ["a", "b"]),
            (("rank", "<=", 3), ["a", "b", "c"]),
            (("rank", ">", 3), ["d"]),
            (("rank", ">=", 3), ["c", "d"]),
            (("rank", "!=", 3), ["a", "b", "d"]),
            (("rank", "IN", [1, 4]), ["a", "d"]),
            (("rank", "NOT_IN", [1, 4]), ["b", "c"]),
            (("tags", "=", "q"), ["a", "c"]),
        ]
        for terms, expected in cases:
            with self.subTest(terms=terms):
                self.assertEqual(sorted(self.find(PropertyFilter(*terms))), expected)

    def test_composite_filters(self):
        rank = lambda *terms: PropertyFilter("rank", *terms)
        self.assertEqual(self.find(And([rank(">", 1), rank("<", 4)])), ["b", "c"])
        self.assertEqual(sorted(self.find(Or([rank("=", 1), PropertyFilter("group", "=", "y")]))), ["a", "c", "d"])
        self.assertEqual(sorted(self.find(PropertyFilter("group", "=", "x"), Or([rank("=", 1), rank("=", 4)]))), ["a"])

    def test_orders_limits_offsets_and_keys(self):
        self.assertEqual(self.find(order=["-rank"]), ["d", "c", "b", "a"])
        self.assertEqual(self.find(order=["-group", "rank"]), ["c", "d", "a", "b"])
        self.assertEqual(self.find(order=["rank"], limit=2, offset=1), ["b", "c"])
        query = self.client.query(kind=self.kind)
        query.keys_only()
        self.assertEqual([dict(entity) for entity in query.fetch()], [{}] * 4)
        query = self.client.query(kind=self.kind)
        query.key_filter(self.client.key(self.kind, "b"), ">")
        self.assertEqual(self.names(query.fetch()), ["c", "d"])

    def test_ancestors(self):
        kind = unique_name("Child")
        parent = self.client.key(unique_name("List"), "one")
        for name in ("a", "b"):
            self.client.put(datastore.Entity(self.client.key(kind, name, parent=parent)))
        self.put(kind, "elsewhere")
        self.assertEqual(self.names(self.client.query(kind=kind, ancestor=parent).fetch()), ["a", "b"])
        self.assertEqual(self.names(self.client.query(ancestor=parent).fetch()), ["a", "b"])

    def test_projections_and_distinct(self):
        query = self.client.query(kind=self.kind, projection=["rank", "group"], order=["rank"])
        self.assertEqual([(entity["rank"], entity["group"]) for entity in query.fetch()], [(1, "x"), (2, "x"), (3, "y"), (4, "y")])
        query = self.client.query(kind=self.kind, projection=["tags"])
        self.assertEqual([entity["tags"] for entity in query.fetch()], ["p", "p", "q", "q"])
        query = self.client.query(kind=self.kind, projection=["group"], distinct_on=["group"])
        self.assertEqual([entity["group"] for entity in query.fetch()], ["x", "y"])
        query = self.client.query(kind=self.kind, projection=["group", "rank"], distinct_on=["group"], order=["group", "-rank"])
        self.assertEqual([(entity["group"], entity["rank"]) for entity in query.fetch()], [("x", 2), ("y", 4)])

    def test_cursors(self):
        query = self.client.query(kind=self.kind, order=["-rank"])
        pages, cursor = [], None
        while True:
            iterator = query.fetch(start_cursor=cursor, limit=3)
            page = next(iterator.pages)
            pages.append(self.names(page))
            cursor = iterator.next_page_token
            if not cursor or not pages[-1]:
                break
        self.assertEqual([name for page in pages for name in page], ["d", "c", "b", "a"])
        self.assertEqual(pages[0], ["d", "c", "b"])

    def test_large_offset_and_many_results(self):
        kind = unique_name("Many")
        for start in range(1, 1201, 400):
            self.client.put_multi([datastore.Entity(self.client.key(kind, number)) for number in range(start, start + 400)])
        query = self.client.query(kind=kind)
        self.assertEqual(self.names(query.fetch()), list(range(1, 1201)))
        self.assertEqual(self.names(query.fetch(offset=1100, limit=3)), [1101, 1102, 1103])
        self.assertEqual(self.names(query.fetch(offset=1190)), list(range(1191, 1201)))
        keys = [self.client.key(kind, number) for number in range(1, 1001)]
        self.assertEqual(len(self.client.get_multi(keys)), 1000)

    def test_aggregations(self):
        base = self.client.query(kind=self.kind)
        query = self.client.aggregation_query(base)
        query.count(alias="total").sum("rank", alias="sum").avg("rank", alias="avg")
        (results,) = list(query.fetch())
        self.assertEqual({result.alias: result.value for result in results}, {"total": 4, "sum": 10, "avg": 2.5})
        query = self.client.aggregation_query(base)
        query.add_aggregation(aggregation.CountAggregation(alias="n"))
        (results,) = list(query.fetch())
        self.assertEqual(results[0].value, 4)

    def test_explain(self):
        query = self.client.query(kind=self.kind, explain_options=datastore.ExplainOptions(analyze=True))
        iterator = query.fetch()
        self.assertEqual(len(list(iterator)), 4)
        metrics = iterator.explain_metrics
        self.assertEqual(metrics.execution_stats.results_returned, 4)
        self.assertEqual(metrics.plan_summary.indexes_used[0]["query_scope"], "Collection group")
        query = self.client.query(kind=self.kind, explain_options=datastore.ExplainOptions(analyze=False))
        iterator = query.fetch()
        self.assertEqual(list(iterator), [])
        self.assertEqual(iterator.explain_metrics.plan_summary.indexes_used[0]["properties"], "(__name__ ASC)")

    def test_namespaces_databases_and_metadata(self):
        kind, namespace = unique_name("Task"), unique_name("space")
        inside = datastore.Client(project=PROJECT, namespace=namespace)
        inside.put(datastore.Entity(inside.key(kind, "a")))
        self.assertEqual(self.names(inside.query(kind=kind).fetch()), ["a"])
        self.assertEqual(self.names(self.client.query(kind=kind).fetch()), [])
        query = self.client.query(kind="__namespace__")
        query.keys_only()
        self.assertIn(namespace, self.names(query.fetch()))
        self.assertEqual(self.names(inside.query(kind="__kind__").fetch()), [kind])
        named = datastore.Client(project=PROJECT, database="client-tests")
        self.assertIsNone(named.get(named.key(kind, "a")))
        named.put(datastore.Entity(named.key(kind, "a")))
        self.assertEqual(named.get(named.key(kind, "a")).key.database, "client-tests")
        self.assertEqual(self.names(self.client.query(kind=kind).fetch()), [])


class TransactionsTest(Case):
    def test_commit_and_rollback(self):
        kind = unique_name("Account")
        key = self.put(kind, "a", balance=1).key
        with self.client.transaction():
            entity = self.client.get(key)
            entity["balance"] += 1
            self.client.put(entity)
        self.assertEqual(self.client.get(key)["balance"], 2)
        with self.assertRaises(ZeroDivisionError):
            with self.client.transaction():
                entity = self.client.get(key)
                entity["balance"] = 99
                self.client.put(entity)
                1 / 0
        self.assertEqual(self.client.get(key)["balance"], 2)

    def test_ids_and_queries_inside(self):
        kind = unique_name("Account")
        self.put(kind, "a", balance=1)
        with self.client.transaction() as transaction:
            entity = datastore.Entity(self.client.key(kind))
            self.assertEqual(self.names(self.client.query(kind=kind).fetch()), ["a"])
            transaction.put(entity)
        self.assertIsNotNone(entity.key.id)
        self.assertEqual(len(list(self.client.query(kind=kind).fetch())), 2)

    def test_failure_with_contention(self):
        key = self.put(unique_name("Account"), "a", balance=1).key
        other = datastore.Client(project=PROJECT)
        with self.client.transaction() as transaction:
            entity = self.client.get(key)
            entity["balance"] = 2
            transaction.put(entity)
            outside = datastore.Entity(key)
            outside["balance"] = 3
            with self.assertRaises(exceptions.Conflict):
                other.put(outside)
        self.assertEqual(self.client.get(key)["balance"], 2)

    def test_parallel_transactions(self):
        key = self.put(unique_name("Account"), "a", balance=0).key
        failures = []

        def increment():
            client = datastore.Client(project=PROJECT)
            for _ in range(50):
                try:
                    with client.transaction():
                        entity = client.get(key)
                        entity["balance"] += 1
                        client.put(entity)
                    return
                except exceptions.Conflict:
                    continue
            failures.append("never committed")

        threads = [threading.Thread(target=increment) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(self.client.get(key)["balance"], 4)

    def test_begin_later(self):
        key = self.put(unique_name("Account"), "a", balance=1).key
        with self.client.transaction(begin_later=True) as transaction:
            self.assertIsNone(transaction.id)
            entity = self.client.get(key)
            self.assertIsNotNone(transaction.id)
            entity["balance"] = 2
            transaction.put(entity)
        self.assertEqual(self.client.get(key)["balance"], 2)

    def test_read_only(self):
        key = self.put(unique_name("Account"), "a", balance=1).key
        with self.client.transaction(read_only=True):
            self.assertEqual(self.client.get(key)["balance"], 1)
            datastore.Client(project=PROJECT).put(self.changed(key, 2))
            self.assertEqual(self.client.get(key)["balance"], 1)
        self.assertEqual(self.client.get(key)["balance"], 2)

    def changed(self, key, balance):
        entity = datastore.Entity(key)
        entity["balance"] = balance
        return entity


if __name__ == "__main__":
    unittest.main()
