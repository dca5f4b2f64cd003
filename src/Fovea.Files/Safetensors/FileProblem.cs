using Fovea.Native;

namespace Fovea.Files.Safetensors;

/// <summary>Says what is wrong with a file, and for the usual mishaps how to fix it.</summary>
internal static class FileProblem
{
    public static CheckpointException In(string path, string reason, Exception? inner = null) => new($"{path}: {reason}", inner);

    public static CheckpointException InTensor(string path, string tensor, string reason) => new($"{path}: tensor '{tensor}': {reason}");

    /// <summary>Refuses what was never a file of weights: nothing at all, a git-lfs pointer, a web page.</summary>
    public static void RefuseImpostors(MappedFile file)
    {
        if (file.Length == 0)
        {
            throw In(file.Path, "the file is empty; copy or download it again");
        }

        var start = file.Slice(0, Math.Min(file.Length, 64));
        if (start.StartsWith("version https://git-lfs"u8))
        {
            throw In(file.Path, "is a git-lfs pointer, not the weights; run 'git lfs pull' in its folder");
        }

        if (start.StartsWith("<!DOCTYPE"u8) || start.StartsWith("<!doctype"u8) || start.StartsWith("<html"u8))
        {
            throw In(file.Path, "is a web page, not the weights; download the file itself");
        }
    }
}
