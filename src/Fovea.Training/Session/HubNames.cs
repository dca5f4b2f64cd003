using System.Threading.Channels;
using Fovea.Data.Datasets;
using Fovea.Distributed;
using Fovea.Hub;
using Fovea.Hub.Fetching;
using Fovea.Models.Peft;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>
/// Puts folders in place of names: what a configuration calls <c>org/name</c> is looked for in the cache of the hub's client and fetched as far as it is not
/// there. Everything past this place sees folders only. A folder of that name goes first, as in Transformers.
/// </summary>
internal sealed class HubNames(HubSection hub, Mesh? mesh = null, IProgress<HubProgress>? progress = null, CancellationToken cancel = default)
{
    private readonly List<string> datasets = [];

    /// <summary>A configuration whose model, adapters and datasets are on this machine.</summary>
    /// <param name="weights">Whether the model's weights are needed too, not its description alone.</param>
    /// <exception cref="ConfigException">One is neither a folder nor to be had from a hub.</exception>
    public static TrainConfig Locate(
        TrainConfig config, Mesh? mesh = null, IProgress<HubProgress>? progress = null, bool weights = true, CancellationToken cancel = default)
    {
        var names = new HubNames(config.Hub, mesh, progress, cancel);
        var known = new Dictionary<string, string>(config.Model.HubNames);
        string Folder(string name, Func<string, string> folder)
        {
            var found = folder(name);
            if (found != name)
            {
                known[found] = RepoName.Parse(name).Id;
            }

            return found;
        }

        var model = Folder(config.Model.ModelNameOrPath, name => names.Model(name, weights));
        string[] adapters = [.. config.Model.AdapterNameOrPath.Select(name => Folder(name, names.Adapter))];
        return config with
        {
            Model = config.Model with { ModelNameOrPath = model, AdapterNameOrPath = adapters, HubNames = known },
            Data = config.Data.Repositories is null ? config.Data with { Repositories = names.Dataset, FromHub = names.datasets } : config.Data,
        };
    }

    /// <summary>The folder of a model; a path as it stands.</summary>
    public string Model(string name, bool weights = true) => Folder(
        name, RepoKind.Model, weights ? FileChoice.Needed : FileChoice.Needed with { Exclude = Heavy }, hub.ModelRevision,
        path => $"{Path.GetFullPath(path)} does not exist; model_name_or_path must be a model's folder, or its name on a hub");

    /// <summary>The folder of an adapter; a path as it stands.</summary>
    public string Adapter(string name) => Folder(
        name, RepoKind.Model, FileChoice.Needed, hub.ModelRevision, AdapterFolder.Problem);

    /// <summary>A dataset's repository, with what its card says of the rows that are asked for.</summary>
    public HubRepository Dataset(HubDataset wanted)
    {
        var settings = hub.Settings();
        settings = settings with { ModelScope = wanted.ModelScope is not null && (settings.ModelScope || wanted.HuggingFace is null) };
        var repo = RepoName.Parse((settings.ModelScope ? wanted.ModelScope : wanted.HuggingFace)!, RepoKind.Dataset);
        try
        {
            datasets.Add(repo.Id);
            if (wanted.Folder is not null)
            {
                return new(Fetch(settings, repo, Below(wanted.Folder), null));
            }

            return settings.ModelScope ? new(Fetch(settings, repo, FileChoice.Needed, null)) : ByCard(settings, repo, wanted);
        }
        catch (HubException e)
        {
            throw new ConfigException($"the dataset {repo.Id} cannot be fetched: {e.Message}");
        }
    }

    // Only what the card names is fetched, of the commit that the card is of.
    private HubRepository ByCard(HubSettings settings, RepoName repo, HubDataset wanted)
    {
        var (card, root) = Card(settings, repo);
        repo = root is not null && Path.GetFileName(root) is var commit && RepoName.IsCommit(commit) ? repo with { Revision = commit } : repo;
        try
        {
            switch (card?.Find(wanted.Subset, wanted.Split ?? HubDataset.Train))
            {
                case null:
                    return new(Fetch(settings, repo, FileChoice.Needed, null));
                case (_, { } folder):
                    return new(Fetch(settings, repo, Below(folder), null), Within: folder);
                case (var patterns, _):
                    // A star of the hub's client crosses folders, so it may bring more than the card means.
                    var globs = patterns.Select(pattern => pattern.Replace("**/", "*", StringComparison.Ordinal).TrimStart('.', '/'));
                    var place = Fetch(settings, repo, new FileChoice { Include = Glob.All(globs) }, null);
                    var files = Directory.EnumerateFiles(place, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(place, file))
                        .Order(StringComparer.Ordinal).ToList();
                    return new(place, [.. patterns.Select(DatasetCard.Shape).SelectMany(shape => files.Where(file => shape.IsMatch(file))).Distinct()]);
            }
        }
        catch (ConfigException e)
        {
            throw new ConfigException($"the dataset {repo.Id}: {e.Message}");
        }
    }

    private (DatasetCard? Card, string? Root) Card(HubSettings settings, RepoName repo)
    {
        try
        {
            var root = Fetch(settings, repo, new FileChoice { Include = Glob.All([DatasetCard.File]) }, null);
            var place = Path.Combine(root, DatasetCard.File);
            return (File.Exists(place) ? DatasetCard.Read(place) : null, root);
        }
        catch (HubException e) when (e.Fault == HubFault.NoFile)
        {
            return (null, null);
        }
    }

    private static FileChoice Below(string folder) => new() { Include = Glob.All([$"{folder.Trim('/')}/"]) };

    private static IReadOnlyList<Glob> Heavy { get; } = Glob.All(["*.safetensors", "*.bin", "*.pth"]);

    private string Folder(string name, RepoKind kind, FileChoice files, string? revision, Func<string, string> wrong)
    {
        if (name.Length == 0 || RepoName.TryParse(name, kind) is not { } repo)
        {
            return name;
        }

        // One decides for all ranks, whose disks may differ.
        const string folder = "folder";
        if ((mesh is null ? Look() : mesh.FromMain($"whether {name} is a folder", Look)) == folder)
        {
            return name;
        }

        string? Look() => Path.Exists(name) ? folder : null;

        try
        {
            return Fetch(hub.Settings(), repo, files, revision);
        }
        catch (HubException e) when (e.Fault is HubFault.NoRepository or HubFault.Unreachable or HubFault.Offline or HubFault.Token)
        {
            // It may be a path with a slip of the pen just as well.
            throw new ConfigException($"{wrong(name)} (as a name on a hub: {e.Message})");
        }
        catch (HubException e)
        {
            throw new ConfigException($"{name}: {e.Message}");
        }
    }

    private string Fetch(HubSettings settings, RepoName repo, FileChoice files, string? revision)
    {
        using var client = new HubClient(settings);
        var request = new FetchRequest(repo, revision) { Files = files };
        request = mesh is null ? request : request with { Agree = mesh.FromMain };
        if (progress is null)
        {
            return client.Fetch(request, cancel).GetAwaiter().GetResult();
        }

        // Reports come from many threads, and are passed on by the one that waits here.
        var said = Channel.CreateUnbounded<HubProgress>();
        var work = Task.Run(
            async () =>
            {
                try
                {
                    return await client.Fetch(request with { Progress = new Queued(said.Writer) }, cancel).ConfigureAwait(false);
                }
                finally
                {
                    said.Writer.Complete();
                }
            }, CancellationToken.None);
        foreach (var value in said.Reader.ReadAllAsync(CancellationToken.None).ToBlockingEnumerable(CancellationToken.None))
        {
            progress.Report(value);
        }

        return work.GetAwaiter().GetResult();
    }

    private sealed class Queued(ChannelWriter<HubProgress> queue) : IProgress<HubProgress>
    {
        public void Report(HubProgress value) => queue.TryWrite(value);
    }
}
