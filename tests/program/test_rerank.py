"""Reranking over HTTP: a cross-encoder's scores are those of its formulas, best first, in both forms; what does not rank says so."""
import json
import tempfile
import unittest
from pathlib import Path

import folders
import tiny_model
from test_serving import Server

QUERY = "what is the capital of france"
DOCUMENTS = ["berlin rains", "paris is the capital of france .", "it rains"]


class Rerank(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = folders.CrossEncoder()
        cls.model.write(Path(cls.folder.name) / "judge")
        tiny_model.write(Path(cls.folder.name) / "talker.gguf")
        cls.server = Server(str(Path(cls.folder.name) / "judge"), str(Path(cls.folder.name) / "talker.gguf"))

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def ask(self, **body):
        status, data = self.server.ask("POST", "/v1/rerank", {"model": "judge", **body})
        return status, json.loads(data)

    def expected(self):
        return [self.model.score(QUERY.split(), document.split()) for document in DOCUMENTS]

    def test_scores_are_those_of_the_model(self):
        status, reply = self.ask(query=QUERY, documents=DOCUMENTS, raw_scores=True, return_documents=True)
        self.assertEqual(status, 200, reply)
        expected = self.expected()
        self.assertEqual([r["index"] for r in reply["results"]], sorted(range(3), key=lambda i: -expected[i]))
        for result in reply["results"]:
            self.assertAlmostEqual(result["relevance_score"], expected[result["index"]], delta=2e-3 * max(1, abs(expected[result["index"]])))
            self.assertEqual(result["document"]["text"], DOCUMENTS[result["index"]])
        words = sum(len(QUERY.split()) + len(document.split()) + 3 for document in DOCUMENTS)
        self.assertEqual(reply["usage"]["prompt_tokens"], words)

    def test_top_and_the_other_form(self):
        status, reply = self.ask(query=QUERY, documents=DOCUMENTS, top_n=1)
        self.assertEqual((status, len(reply["results"])), (200, 1))
        self.assertTrue(0 <= reply["results"][0]["relevance_score"] <= 1)
        status, data = self.server.ask("POST", "/rerank", {"model": "judge", "query": QUERY, "texts": DOCUMENTS})
        listed = json.loads(data)
        self.assertEqual((status, len(listed)), (200, 3))
        self.assertEqual(listed, sorted(listed, key=lambda r: -r["score"]))

    def test_too_long(self):
        long = " ".join(["rains"] * 100)
        status, reply = self.ask(query=QUERY, documents=[long])
        self.assertEqual((status, reply["error"]["code"]), (400, "context_length_exceeded"))
        status, reply = self.ask(query=QUERY, documents=[long], truncate=True)
        self.assertEqual((status, reply["usage"]["prompt_tokens"]), (200, self.model.positions))

    def test_each_model_says_what_it_is_for(self):
        status, reply = self.ask(query="a", documents=["b"], model="talker")
        self.assertEqual(status, 400, reply)
        status, data = self.server.ask("POST", "/v1/embeddings", {"model": "judge", "input": "a"})
        self.assertEqual(status, 400, data)
        self.assertIn(b"/v1/rerank", data)
        status, data = self.server.ask("GET", "/v1/models/judge")
        self.assertEqual(json.loads(data)["capabilities"], ["rerank"])


if __name__ == "__main__":
    unittest.main()
