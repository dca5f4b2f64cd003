using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Fovea;

namespace Receipts;

/// <summary>Photographs and questions about them as LLaMA-Factory and Fovea read them: rows of messages with images, and a list of datasets.</summary>
internal sealed class Dataset(string folder)
{
    /// <summary>Single lines and what they say, which only the tiny base learns from.</summary>
    public const string Lines = "lines";

    /// <summary>Receipts with captions, which only the tiny base learns from.</summary>
    public const string Captions = "captions";

    /// <summary>Receipts with their records.</summary>
    public const string Train = "receipts";

    /// <summary>Receipts with their records that no training sees.</summary>
    public const string Test = "receipts_test";

    public string Folder => folder;

    public void Draw(int lines, int captions, int train, int test, int seed)
    {
        Directory.CreateDirectory(Path.Combine(folder, "photos"));
        Write(Lines, lines, seed, random =>
        {
            var text = PrintedReceipt.Invent(random).Text;
            var line = text[random.Next(text.Count)];
            return (ReceiptArtist.Draw(line, random), "What does it say?", string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        });
        Write(Captions, captions, seed + 1_000_000, random => Ask("What is this?", receipt => receipt.Caption, random));
        Write(Train, train, seed + 2_000_000, random => Ask(Receipt.Question, receipt => receipt.Record.ToString(), random));
        Write(Test, test, seed + 3_000_000, random => Ask(Receipt.Question, receipt => receipt.Record.ToString(), random));
        Save("dataset_info", new JsonObject(new[] { Lines, Captions, Train, Test }.Select(name => KeyValuePair.Create(name, (JsonNode?)new JsonObject
        {
            ["file_name"] = $"{name}.json",
            ["formatting"] = "sharegpt",
            ["columns"] = new JsonObject { ["messages"] = "messages", ["images"] = "images" },
            ["tags"] = new JsonObject { ["role_tag"] = "role", ["content_tag"] = "content", ["user_tag"] = "user", ["assistant_tag"] = "assistant" },
        }))));
    }

    /// <summary>The held-out photographs with their records.</summary>
    public IEnumerable<Conversation> HeldOut() =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(folder, $"{Test}.json")))!.AsArray().Select(row => new Conversation(
        [
            Message.User(Image.FromFile(Path.Combine(folder, (string)row!["images"]![0]!)), Receipt.Question),
            Message.Assistant((string)row["messages"]![1]!["content"]!),
        ]));

    private static (byte[] Photo, string Question, string Answer) Ask(string question, Func<PrintedReceipt, string> answer, Random random)
    {
        var receipt = PrintedReceipt.Invent(random);
        return (ReceiptArtist.Draw(receipt, random), question, answer(receipt));
    }

    private void Write(string name, int count, int seed, Func<Random, (byte[] Photo, string Question, string Answer)> row)
    {
        var rows = new JsonNode[count];
        Parallel.For(0, count, i =>
        {
            // Each row has a generator of its own: the same seed gives the same receipts, in whatever order they are drawn.
            var (photo, question, answer) = row(new Random(seed + i));
            var file = $"photos/{name}_{i:00000}.jpg";
            File.WriteAllBytes(Path.Combine(folder, file), photo);
            rows[i] = new JsonObject
            {
                ["messages"] = new JsonArray(
                    new JsonObject { ["role"] = "user", ["content"] = $"<image>{question}" },
                    new JsonObject { ["role"] = "assistant", ["content"] = answer }),
                ["images"] = new JsonArray(file),
            };
        });
        Save(name, new JsonArray(rows));
    }

    private void Save(string name, JsonNode json) => File.WriteAllText(
        Path.Combine(folder, $"{name}.json"), json.ToJsonString(new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
}
