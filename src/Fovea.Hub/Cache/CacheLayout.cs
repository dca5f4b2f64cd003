namespace Fovea.Hub.Cache;

/// <summary>Where the client of Hugging Face keeps a repository: contents once, by their hashes, and per commit a folder of links to them.</summary>
internal sealed class CacheLayout(string cache, RepoName repo)
{
    private const string Tag = "CACHEDIR.TAG";

    public string Folder { get; } = Path.Combine(cache, FolderName(repo));

    public string Snapshots => Path.Combine(Folder, "snapshots");

    public string Blobs => Path.Combine(Folder, "blobs");

    public string Blob(HubFile file) => Path.Combine(Blobs, file.Etag);

    public string Snapshot(string commit) => Path.Combine(Snapshots, commit);

    public string Pointer(string commit, string file) => Path.Combine(Snapshot(commit), file);

    public string Ref(string revision) => Path.Combine(Folder, "refs", revision);

    public string Missing(string commit, string file) => Path.Combine(Folder, ".no_exist", commit, file);

    public string Tree(string commit) => Path.Combine(Folder, "trees", $"{commit}.json");

    /// <summary>The lock that whoever downloads a content takes, in every language.</summary>
    public string Lock(HubFile file) => Path.Combine(cache, ".locks", FolderName(repo), $"{file.Etag}.lock");

    /// <summary>Our own, for a repository as a whole: one process fetches, others wait.</summary>
    public string Lock() => Path.Combine(cache, ".locks", FolderName(repo), "fovea.lock");

    /// <summary>The name of a repository's folder.</summary>
    public static string FolderName(RepoName repo) => $"{repo.Plural}--{repo.Id.Replace("/", "--", StringComparison.Ordinal)}";

    /// <summary>The commit that a revision meant when it was last fetched; null where it never was.</summary>
    public string? Commit(string revision)
    {
        if (RepoName.IsCommit(revision))
        {
            return Directory.Exists(Snapshot(revision)) ? revision : null;
        }

        var reference = Ref(revision);
        return File.Exists(reference) && TextFile.Read(reference).Trim() is var commit && RepoName.IsCommit(commit) ? commit : null;
    }

    /// <summary>Keeps what a branch or tag means.</summary>
    public void Remember(string revision, string commit)
    {
        if (revision != commit && Commit(revision) != commit)
        {
            AtomicFile.WriteText(Ref(revision), commit);
        }
    }

    /// <summary>Notes that a commit has no such file, as the other client does for its users.</summary>
    public void RememberMissing(string commit, string file)
    {
        var note = Missing(commit, file);
        if (!File.Exists(note))
        {
            AtomicFile.WriteText(note, string.Empty);
        }
    }

    /// <summary>Lets backups leave the cache out.</summary>
    public void MarkCache()
    {
        var tag = Path.Combine(cache, Tag);
        if (!File.Exists(tag))
        {
            AtomicFile.WriteText(tag, "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of models and datasets, shared by Fovea and huggingface_hub.\n");
        }
    }

    /// <summary>Shows a content under its name in a commit: a relative link, or the file itself where the file system has no links.</summary>
    public void Show(string commit, HubFile file)
    {
        var pointer = Pointer(commit, file.Path);
        if (File.Exists(pointer))
        {
            return;
        }

        var folder = Path.GetDirectoryName(pointer)!;
        Directory.CreateDirectory(folder);
        try
        {
            if (new FileInfo(pointer).LinkTarget is not null)
            {
                File.Delete(pointer); // its content was removed
            }

            File.CreateSymbolicLink(pointer, Path.GetRelativePath(folder, Blob(file)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException && !File.Exists(pointer))
        {
            File.Move(Blob(file), pointer);
        }
        catch (IOException) when (File.Exists(pointer))
        {
            // Another process was faster.
        }
    }
}
