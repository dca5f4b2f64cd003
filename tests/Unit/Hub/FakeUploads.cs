using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Fovea.Tests.Unit.Hub;

/// <summary>The part of the stand-in hub to which results are pushed.</summary>
internal sealed partial class FakeUploads(FakeHub hub)
{
    private readonly ConcurrentDictionary<string, byte[]> parts = [];

    /// <summary>Contents of the store by their hashes.</summary>
    public ConcurrentDictionary<string, byte[]> Stored { get; } = [];

    /// <summary>Lines of the commits that were made, parsed.</summary>
    public List<JsonElement[]> Commits { get; } = [];

    /// <summary>Contents of more bytes are taken in parts of this many.</summary>
    public int PartBytes { get; set; } = int.MaxValue;

    /// <summary>Whether the token may create repositories.</summary>
    public bool MayCreate { get; set; } = true;

    public HubReply? Answer(HubRequest request)
    {
        if (request.Path == "/api/whoami-v2")
        {
            return Closed(request) ?? HubReply.Json("""{"name": "ada"}""");
        }

        if (request.Path == "/api/repos/create")
        {
            return Closed(request) ?? Create(request);
        }

        if (request.Path.EndsWith(".git/info/lfs/objects/batch", StringComparison.Ordinal))
        {
            return Closed(request) ?? Batch(request);
        }

        if (request.Path == "/verify")
        {
            return Closed(request) ?? (Stored.ContainsKey(Body(request).GetProperty("oid").GetString()!) ? HubReply.Json("{}") : HubReply.Error(404));
        }

        if (request.Path.StartsWith("/complete/", StringComparison.Ordinal))
        {
            var oid = request.Path["/complete/".Length..];
            var numbers = Body(request).GetProperty("parts").EnumerateArray().Select(part => (part.GetProperty("partNumber").GetInt32(),
                part.GetProperty("etag").GetString()));
            Stored[oid] = [.. numbers.SelectMany(part => part.Item2 == $"\"{oid}-{part.Item1}\"" ? parts[$"{oid}-{part.Item1}"]
                : throw new InvalidOperationException())];
            return HubReply.Json("{}");
        }

        var match = Change().Match(request.Path);
        return !match.Success ? null : Closed(request) ?? (match.Groups["what"].Value switch
        {
            "preupload" => Plan(request, match.Groups["id"].Value),
            "branch" => Branch(match.Groups["id"].Value, match.Groups["rev"].Value),
            _ => Commit(request, match.Groups["id"].Value, match.Groups["rev"].Value),
        });
    }

    public HubReply? Store(HubRequest request)
    {
        if (request.Method != "PUT")
        {
            return null;
        }

        var name = request.Path[1..];
        if (name.StartsWith("part/", StringComparison.Ordinal))
        {
            parts[name[5..]] = request.Body;
            return new HubReply(200, [], ("ETag", $"\"{name[5..]}\""));
        }

        Stored[name] = request.Body;
        return new HubReply(200, []);
    }

    private static HubReply? Closed(HubRequest request) =>
        request.Header("authorization") == $"Bearer {FakeHub.Token}" ? null : HubReply.Error(401, message: "Invalid credentials in Authorization header");

    private HubReply Create(HubRequest request)
    {
        var body = Body(request);
        var id = $"{body.GetProperty("organization").GetString() ?? "ada"}/{body.GetProperty("name").GetString()}";
        if (!MayCreate)
        {
            return HubReply.Error(403, message: "no rights");
        }

        if (hub.Repos.ContainsKey(id))
        {
            return HubReply.Error(409);
        }

        hub.Add(id).Private = body.TryGetProperty("visibility", out var visibility) && visibility.GetString() == "private";
        hub.Repos[id].Commit("main", (".gitattributes", []));
        return HubReply.Json($$"""{"url": "{{hub.Url}}/{{id}}"}""");
    }

    private HubReply Branch(string id, string name)
    {
        hub.Repos[id].Refs.TryAdd(name, hub.Repos[id].Refs["main"]);
        return HubReply.Json("{}");
    }

    private HubReply Plan(HubRequest request, string id)
    {
        var tree = hub.Repos[id].Commits[hub.Repos[id].Refs["main"]];
        return HubReply.Json(JsonSerializer.Serialize(new
        {
            files = Body(request).GetProperty("files").EnumerateArray().Select(file => file.GetProperty("path").GetString()!).Select(path => new
            {
                path, uploadMode = FakeRepo.IsLarge(path) ? "lfs" : "regular", shouldIgnore = path == "ignored.txt", oid = tree.GetValueOrDefault(path)?.Etag,
            }),
        }));
    }

    private HubReply Batch(HubRequest request)
    {
        var objects = Body(request).GetProperty("objects").EnumerateArray().Select(file =>
        {
            var (oid, size) = (file.GetProperty("oid").GetString()!, file.GetProperty("size").GetInt32());
            if (Stored.ContainsKey(oid))
            {
                return (object)new { oid, size };
            }

            var verify = new { href = $"{hub.Url}/verify" };
            if (size <= PartBytes)
            {
                return new { oid, size, actions = new { upload = new { href = $"{hub.StoreUrl}/{oid}?sig=1" }, verify } };
            }

            var header = Enumerable.Range(1, (size + PartBytes - 1) / PartBytes)
                .ToDictionary(n => n.ToString(CultureInfo.InvariantCulture), n => $"{hub.StoreUrl}/part/{oid}-{n}?sig=1");
            header["chunk_size"] = PartBytes.ToString(CultureInfo.InvariantCulture);
            return new { oid, size, actions = new { upload = new { href = $"{hub.Url}/complete/{oid}", header }, verify } };
        });
        return HubReply.Json(JsonSerializer.Serialize(new { transfer = "multipart", objects }));
    }

    private HubReply Commit(HubRequest request, string id, string branch)
    {
        var lines = Encoding.UTF8.GetString(request.Body).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
            JsonDocument.Parse(line).RootElement).ToArray();
        Commits.Add(lines);
        var repo = hub.Repos[id];
        var files = repo.Commits[repo.Refs[branch]].ToDictionary(file => file.Key, file => file.Value.Content);
        foreach (var line in lines)
        {
            var value = line.GetProperty("value");
            switch (line.GetProperty("key").GetString())
            {
                case "file":
                    files[value.GetProperty("path").GetString()!] = value.GetProperty("content").GetBytesFromBase64();
                    break;
                case "lfsFile":
                    files[value.GetProperty("path").GetString()!] = Stored[value.GetProperty("oid").GetString()!];
                    break;
            }
        }

        var commit = repo.Commit(branch, [.. files.Select(file => (file.Key, file.Value))]);
        return HubReply.Json($$"""{"commitUrl": "{{hub.Url}}/{{id}}/commit/{{commit}}", "commitOid": "{{commit}}"}""");
    }

    private static JsonElement Body(HubRequest request) => JsonDocument.Parse(request.Body).RootElement;

    [GeneratedRegex("^/api/models/(?<id>[^/]+/[^/]+)/(?<what>preupload|commit|branch)/(?<rev>.+)$")]
    private static partial Regex Change();
}
