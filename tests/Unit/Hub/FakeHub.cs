using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using Fovea.Hub;

namespace Fovea.Tests.Unit.Hub;

/// <summary>
/// A hub that speaks Hugging Face's protocol, and ModelScope's, on ports of this machine: one for the API and small files, one for large files to which
/// the first redirects with an address that is signed.
/// </summary>
internal sealed partial class FakeHub : IDisposable
{
    public const string Token = "hf_a-secret-of-this-test";
    private const string Signature = "sig=abc123";
    private readonly HubListener api;
    private readonly HubListener store;

    public FakeHub()
    {
        api = new HubListener(false, Answer);
        store = new HubListener(true, Answer);
        Uploads = new FakeUploads(this);
    }

    public ConcurrentDictionary<string, FakeRepo> Repos { get; } = [];

    public ConcurrentQueue<HubRequest> Requests { get; } = [];

    public FakeUploads Uploads { get; }

    /// <summary>Looks at a request first; what it gives is the answer.</summary>
    public Func<HubRequest, HubReply?> Fault { get; set; } = _ => null;

    /// <summary>Changes an answer that a request would get.</summary>
    public Func<HubRequest, HubReply, HubReply> Change { get; set; } = (_, reply) => reply;

    public int PageSize { get; set; } = 1000;

    public string Url => api.Url;

    public string StoreUrl => store.Url;

    public FakeRepo Add(string id) => Repos.GetOrAdd(id, _ => new FakeRepo());

    /// <summary>Requests for contents.</summary>
    public IReadOnlyList<HubRequest> Contents => [.. Requests.Where(request => request.Elsewhere || request.Path.Contains("/resolve/"))];

    public HubSettings Settings(string cache, string? token = null) => HubSettings.Read(
        name => name switch { "HF_ENDPOINT" or "MODELSCOPE_ENDPOINT" => Url, "HF_HUB_CACHE" => cache, "HF_TOKEN" => token, "HOME" => cache, _ => null });

    public void Dispose()
    {
        api.Dispose();
        store.Dispose();
    }

    private HubReply Answer(HubRequest request)
    {
        Requests.Enqueue(request);
        try
        {
            return Fault(request) ?? Change(request, request.Elsewhere ? Stored(request) : Said(request));
        }
        catch (Exception e)
        {
            return HubReply.Error(500, message: e.Message);
        }
    }

    private HubReply Said(HubRequest request)
    {
        if (Uploads.Answer(request) is { } upload)
        {
            return upload;
        }

        if (Scope().Match(request.Path) is { Success: true } scope)
        {
            return Scoped(request, scope.Groups["id"].Value, scope.Groups["what"].Value);
        }

        var info = Info().Match(request.Path);
        var file = File().Match(request.Path);
        if (!info.Success && !file.Success)
        {
            return HubReply.Error(404);
        }

        var match = info.Success ? info : file;
        var id = (match.Groups["kind"].Value == "datasets" ? "datasets/" : string.Empty) + match.Groups["id"].Value;
        if (Closed(request, id, file.Success, out var repo) is { } closed)
        {
            return closed;
        }

        var revision = match.Groups["rev"].Value;
        if (repo.Resolve(revision) is not { } commit)
        {
            return HubReply.Error(404, "RevisionNotFound");
        }

        return file.Success ? Resolved(request, repo, commit, file.Groups["path"].Value)
            : match.Groups["what"].Value == "tree" ? Tree(request, repo, commit)
            : HubReply.Json(JsonSerializer.Serialize(new
            {
                id = match.Groups["id"].Value, sha = commit, @private = repo.Private, tags = Array.Empty<string>(), downloads = 0, likes = 0,
                siblings = repo.Commits[commit].Keys.Select(path => new { rfilename = path }),
            }));
    }

    private HubReply? Closed(HubRequest request, string id, bool file, out FakeRepo repo)
    {
        var token = request.Header("authorization");
        if (token is not null && token != $"Bearer {Token}")
        {
            repo = null!;
            return HubReply.Error(401, message: "Invalid credentials in Authorization header");
        }

        if (!Repos.TryGetValue(id, out repo!) || (repo.Private && token is null))
        {
            return token is null ? HubReply.Error(401, "RepoNotFound", "Repository not found") : HubReply.Error(404, "RepoNotFound", "Repository not found");
        }

        return repo.Gated && file ? HubReply.Error(token is null ? 401 : 403, "GatedRepo", "Access to model is restricted") : null;
    }

    private HubReply Tree(HubRequest request, FakeRepo repo, string commit)
    {
        var start = int.Parse(request.Parameter("cursor") ?? "0");
        var entries = repo.Commits[commit].Select(file => file.Value.Large
            ? (object)new
            {
                type = "file", oid = file.Value.BlobId, size = file.Value.Content.Length, path = file.Key, xetHash = file.Value.Sha256,
                lfs = new { oid = file.Value.Sha256, size = file.Value.Content.Length, pointerSize = 134 },
            }
            : new { type = "file", oid = file.Value.BlobId, size = file.Value.Content.Length, path = file.Key });
        var folders = repo.Commits[commit].Keys.Where(path => path.Contains('/')).Select(path => path[..path.LastIndexOf('/')]).Distinct()
            .Select(path => (object)new { type = "directory", oid = new string('0', 40), size = 0, path });
        var all = folders.Concat(entries).ToList();
        var next = start + PageSize < all.Count ? new[] { ("Link",
            $"<{Url}{request.Path}?recursive=true&expand=false&cursor={start + PageSize}>; rel=\"next\"") } : [];
        return HubReply.Json(JsonSerializer.Serialize(all.Skip(start).Take(PageSize)), next);
    }

    private HubReply Resolved(HubRequest request, FakeRepo repo, string commit, string path)
    {
        if (!repo.Commits[commit].TryGetValue(path, out var file))
        {
            return HubReply.Error(404, "EntryNotFound") with { Headers = [("X-Error-Code", "EntryNotFound"), ("X-Repo-Commit", commit)] };
        }

        (string, string)[] about = [("X-Repo-Commit", commit), ("Accept-Ranges", "bytes"), ("ETag", $"\"{file.Etag}\"")];
        return file.Large
            ? new HubReply(302, [], [
                .. about, ("X-Linked-Etag", $"\"{file.Sha256}\""), ("X-Linked-Size", file.Content.Length.ToString()),
                ("X-Xet-Hash", file.Sha256), ("Location", $"{StoreUrl}/{file.Sha256}?{Signature}")])
            : Content(request, file.Content, about);
    }

    private HubReply Stored(HubRequest request)
    {
        if (Uploads.Store(request) is { } upload)
        {
            return upload;
        }

        if (request.Query != Signature)
        {
            return HubReply.Error(403);
        }

        var file = Repos.Values.SelectMany(repo => repo.Commits.Values).SelectMany(tree => tree.Values).First(file => file.Sha256 == request.Path[1..]);
        return Content(request, file.Content, ("Accept-Ranges", "bytes"));
    }

    private static HubReply Content(HubRequest request, byte[] content, params (string, string)[] about)
    {
        if (request.Range is not { } range)
        {
            return new HubReply(200, content, about);
        }

        var to = Math.Min(range.To ?? content.Length, content.Length);
        return range.From >= content.Length
            ? new HubReply(416, [], [.. about, ("Content-Range", $"bytes */{content.Length}")])
            : new HubReply(206, content[(int)range.From..(int)to], [.. about, ("Content-Range", $"bytes {range.From}-{to - 1}/{content.Length}")]);
    }

    private HubReply Scoped(HubRequest request, string id, string what)
    {
        var repo = Repos.GetValueOrDefault(id);
        var branch = request.Parameter("Revision") ?? "master";
        return (what, repo) switch
        {
            (_, null) => HubReply.Error(404),
            (_, { Private: true }) when request.Header("cookie") != $"m_session_id={Token}" => HubReply.Error(403),
            ("revisions", _) => HubReply.Json(JsonSerializer.Serialize(new
            {
                Code = 200, Success = true,
                Data = new { RevisionMap = new { Branches = repo.Refs.Keys.Select(name => new { Revision = name, CreatedAt = 1 }),
                    Tags = Array.Empty<object>() } },
            })),
            ("repo/files" or "repo/tree", _) => HubReply.Json(JsonSerializer.Serialize(new
            {
                Code = 200, Success = true,
                Data = new
                {
                    Files = repo.Commits[repo.Refs[branch]].Select(file => new
                    {
                        Name = file.Key.Split('/')[^1], Path = file.Key, Type = "blob", Size = file.Value.Content.Length, file.Value.Sha256,
                            Revision = repo.Refs[branch],
                    }),
                },
            })),
            _ => Content(request, repo.Commits[repo.Refs[branch]][request.Parameter("FilePath")!].Content),
        };
    }

    [GeneratedRegex(@"^/api/(?<kind>models|datasets)/(?<id>[^/]+(?:/[^/]+)?)/(?<what>revision|tree)/(?<rev>.+)$")]
    private static partial Regex Info();

    [GeneratedRegex(@"^/(?:(?<kind>datasets)/)?(?<id>[^/]+(?:/[^/]+)?)/resolve/(?<rev>[0-9a-f]{40}|[^/]+)/(?<path>.+)$")]
    private static partial Regex File();

    [GeneratedRegex(@"^/api/v1/(?:models|datasets)/(?<id>[^/]+/[^/]+)/(?<what>revisions|repo/files|repo/tree|repo)$")]
    private static partial Regex Scope();
}
