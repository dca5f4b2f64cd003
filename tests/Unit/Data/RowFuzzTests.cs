using System.Text.Json.Nodes;
using Fovea.Data.Datasets;

namespace Fovea.Tests.Unit.Data;

/// <summary>Rows with anything anywhere: each is read, or left out with one short line.</summary>
public sealed class RowFuzzTests : IDisposable
{
    private static readonly string[] Rows =
    [
        """
        {"messages":[{"role":"system","content":"S"},{"role":"user","content":"<image>Q"},{"role":"assistant","content":"A"}],
         "images":["a.png"],"tools":""}
        """,
        """{"conversations":[{"from":"human","value":"<image>Q"},{"from":"gpt","value":"A"}],"image":"a.png","system":"S"}""",
        """{"conversations":[{"role":"user","content":"<image_00>Q"},{"role":"assistant","content":"A"}],"image":{"<image_00>":"a.png"}}""",
        """{"instruction":"<image>Q","input":"I","output":"A","history":[["q","a"]],"images":[{"path":"a.png","bytes":null}],"system":"S"}""",
    ];

    private static readonly string[] Odd =
    [
        "null", "5", "-1.5e300", "true", "\"\"",
        "\"x\"", "[]", "{}", "[[]]", "[null]", "{\"a\":{\"b\":[1]}}", "\"\\ud800\"", "\"\\u0000\\n\"", "\"<image>\"",
        "[\"a.png\",[\"a.png\"]]", "{\"path\":{}}", "{\"bytes\":true}", "{\"<image_00>\":3}", "\"data:,\"", "\"://\"", "\"a,b,,\"",
        "{\"role\":\"user\"}", "[{}]",
        "{\"\\udfff\":1}", "\"user\"", "\"tool\"", "[[\"q\"]]", "[[1,2]]", "{\"bytes\":\"\"}", "\"/9j/////////////////////////////////////////\"",
    ];

    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void No_content_of_a_row_ends_as_anything_but_a_conversation_or_a_reason()
    {
        folder.Write("a.png", "x");
        var random = new Random(5);
        var rows = new List<string>();
        for (var i = 0; i < 4000; i++)
        {
            var row = JsonNode.Parse(Rows[i % Rows.Length])!;
            for (var times = 1 + random.Next(3); times > 0; times--)
            {
                Mutate(row, random);
            }

            // Strings that stand for odd values become them, halves of surrogate pairs included.
            rows.Add(Odd.Index().Aggregate(row.ToJsonString(), (text, odd) => text.Replace($"\"@{odd.Index}@\"", odd.Item)));
        }

        folder.Write("rows.jsonl", string.Join('\n', rows.Append(JsonNode.Parse(Rows[0])!.ToJsonString())));
        folder.Write("dataset_info.json", """{"d":{"file_name":"rows.jsonl","formatting":"openai","columns":{"images":"images","system":"system"}}}""");
        foreach (var name in (string[])["rows.jsonl", "d"])
        {
            using var data = DatasetLoader.Load(new DataOptions { Dataset = [name], DatasetDir = folder.Root, OnBadSample = BadSamplePolicy.Skip });
            Assert.Equal(4001, data.Train.Count + data.Rejected.Count);
            Assert.InRange(data.Train.Count, 50, 3500);
            Assert.All(data.Rejected, bad => Assert.InRange(bad.Reason.Length, 5, 900));
            Assert.All(data.Rejected, bad => Assert.DoesNotContain(bad.Reason, char.IsControl));
            Assert.All(data.Notices, notice => Assert.DoesNotContain(notice, char.IsControl));
        }
    }

    /// <summary>Replaces, drops or adds something somewhere.</summary>
    private static void Mutate(JsonNode node, Random random)
    {
        while (true)
        {
            JsonNode? child;
            var odd = $"@{random.Next(Odd.Length)}@";
            if (node is JsonObject { Count: > 0 } fields)
            {
                var name = fields.ElementAt(random.Next(fields.Count)).Key;
                child = fields[name];
                if (child is not (JsonObject or JsonArray) || random.Next(2) == 0)
                {
                    switch (random.Next(4))
                    {
                        case 0:
                            fields.Remove(name);
                            break;
                        case 1:
                            fields[random.Next(2) == 0 ? "img" : "more"] = odd;
                            break;
                        default:
                            fields[name] = odd;
                            break;
                    }

                    return;
                }
            }
            else if (node is JsonArray { Count: > 0 } items)
            {
                var at = random.Next(items.Count);
                child = items[at];
                if (child is not (JsonObject or JsonArray) || random.Next(2) == 0)
                {
                    items[at] = odd;
                    return;
                }
            }
            else
            {
                return;
            }

            node = child;
        }
    }
}
