using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Tensors;
using Fovea.Tensors.Native;

namespace Fovea.Training.Engine;

/// <summary>
/// Features of images that a frozen vision side has already seen: in memory up to a budget of bytes, and in a folder. They are known by the content of the
/// file and everything else that decides them. What is in memory stays: every epoch sees each image once, so the one used longest ago is needed next.
/// </summary>
/// <param name="budgetBytes">Most bytes in memory.</param>
/// <param name="identity">Hash of model and image processor; asked for once, from a thread that prepares batches. Null where only one model is at work.</param>
/// <param name="disk">The folder, or null. It belongs to the cache.</param>
public sealed class VisionFeatureCache(long budgetBytes, Func<string>? identity = null, FeatureFolder? disk = null) : IFeatureStore, IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, ImageFeatures> kept = new(StringComparer.Ordinal);
    private readonly ContentHashes contents = new();
    private readonly Lazy<string> model = new(identity ?? (() => string.Empty));
    private long hits;
    private long diskHits;
    private long misses;

    /// <summary>Held in memory.</summary>
    public long Bytes { get; private set; }

    /// <summary>Images whose features were at hand, on disk or in memory.</summary>
    public long Hits => Interlocked.Read(ref hits);

    /// <summary>Of these, read from disk.</summary>
    public long DiskHits => Interlocked.Read(ref diskHits);

    /// <summary>Images whose features were computed.</summary>
    public long Misses => Interlocked.Read(ref misses);

    public ImageTicket? Ask(MediaSource image, ImageGrid grid, int part = 0)
    {
        if (contents.Of(image) is not { } content)
        {
            return null;
        }

        var key = KeyOf(content.Hash, grid, part);
        var features = Find(key);
        if (features is null && disk?.Read(key) is { } read)
        {
            Interlocked.Increment(ref diskHits);
            features = read;
            Keep(key, read);
        }

        return new ImageTicket(image.Path, key, features, content.Stamp);
    }

    public bool IsCurrent(ImageTicket ticket) => ticket.Path is not { } path || MediaSource.FromFile(path).Stamp() == ticket.Stamp;

    /// <summary>
    /// Features [M, E] of all images of the batch in order; null without images. Belongs to the open scope. Images go through the tower one by one, so that
    /// no image's features depend, in their last bits, on which others were at hand.
    /// </summary>
    /// <param name="cache">Null to compute all.</param>
    /// <param name="towerOnly">Features of the tower, before a projector that learns.</param>
    public static Tensor? Features(
        VisionLanguageModel model, PackedBatch batch, ModelInput input, VisionFeatureCache? cache, bool towerOnly = false)
    {
        if (batch.Grids.Length == 0)
        {
            return null;
        }

        if (!model.ImagesStandAlone)
        {
            return towerOnly ? model.TowerFeatures(input) : model.VisionFeatures(input);
        }

        var parts = new Tensor[batch.Grids.Length];
        var patch = 0L;
        for (var i = 0; i < parts.Length; i++)
        {
            var grid = batch.Grids[i];
            var ticket = batch.Tickets.Count == 0 ? null : batch.Tickets[i];
            if (cache?.Take(ticket) is { } known)
            {
                parts[i] = known.To(model.Device);
            }
            else
            {
                // The scope frees the outputs of the tower's blocks.
                using var scope = TensorScope.Open("block");
                var one = input with { Pixels = input.Pixels!.Slice(0, patch, patch + grid.Patches), Grids = [grid] };
                parts[i] = scope.Release((towerOnly ? model.TowerFeatures(one) : model.VisionFeatures(one))!);
                cache?.Put(ticket, parts[i]);
            }

            patch += batch.NeedsPixels(i) ? grid.Patches : 0;
        }

        return parts.Length == 1 ? parts[0] : ShapeOps.Cat(parts);
    }

    /// <summary>
    /// As <see cref="Features"/>, with all images that were prepared in one run of the tower, or none: so that every rank knows beforehand
    /// which of them run it.
    /// </summary>
    public static Tensor? TogetherFeatures(VisionLanguageModel model, PackedBatch batch, ModelInput input, VisionFeatureCache? cache)
    {
        if (batch.Grids.Length == 0)
        {
            return null;
        }

        using var scope = TensorScope.Open("block");
        var run = Enumerable.Range(0, batch.Grids.Length).Where(batch.NeedsPixels).ToList();
        var made = run.Count == 0 ? null : model.VisionFeatures(input with { Grids = [.. run.Select(i => batch.Grids[i])] });
        var parts = new Tensor[batch.Grids.Length];
        var row = 0L;
        for (var i = 0; i < parts.Length; i++)
        {
            var ticket = batch.Tickets.Count == 0 ? null : batch.Tickets[i];
            if (!batch.NeedsPixels(i))
            {
                parts[i] = cache!.Take(ticket)!.To(model.Device);
                continue;
            }

            var rows = model.FeatureRows(batch.Grids[i]);
            parts[i] = made!.Slice(0, row, row + rows);
            row += rows;
            cache?.Put(ticket, parts[i]);
        }

        return scope.Release(ShapeOps.Cat(parts));
    }

    /// <summary>Finishes writing, and frees everything but what tickets still hold.</summary>
    public void Dispose()
    {
        disk?.Dispose();
        lock (gate)
        {
            foreach (var features in kept.Values)
            {
                features.Memory.Release();
            }

            kept.Clear();
            Bytes = 0;
        }
    }

    private string KeyOf(byte[] content, ImageGrid grid, int part)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(content);
        hash.AppendData(Encoding.UTF8.GetBytes($"{(part == 0 ? string.Empty : $"{part}: ")}{grid.T} {grid.H} {grid.W} {model.Value}"));
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>What the ticket holds, or what has been computed since it was written.</summary>
    private Tensor? Take(ImageTicket? ticket)
    {
        var features = ticket?.Features;
        if (features is not null)
        {
            features.Memory.AddRef();
        }
        else if (ticket is null || (features = Find(ticket.Key)) is null)
        {
            return null;
        }

        Interlocked.Increment(ref hits);
        return CreateOps.FromMemory(features.Memory.Address, [features.Rows, features.Width], features.DType, features.Memory.Release);
    }

    private void Put(ImageTicket? ticket, Tensor features)
    {
        Interlocked.Increment(ref misses);
        if (ticket is null || (disk is null && Bytes + (features.Count * features.DType.Size()) > budgetBytes))
        {
            return;
        }

        var copy = Copy(features);
        Keep(ticket.Key, copy);
        disk?.Write(ticket.Key, copy);
        copy.Memory.Release();
    }

    private static ImageFeatures Copy(Tensor features)
    {
        var dense = features.To(Device.Cpu).Contiguous();
        var memory = HeapMemory.Allocate(dense.Count * dense.DType.Size());
        var bytes = dense.DType.Size() == 2 ? MemoryMarshal.AsBytes(dense.Elements<short>()) : MemoryMarshal.AsBytes(dense.Elements<float>());
        bytes.CopyTo(memory.Bytes);
        return new ImageFeatures(memory, dense.Size(0), dense.Size(1), dense.DType);
    }

    /// <summary>With a reference for the caller.</summary>
    private ImageFeatures? Find(string key)
    {
        lock (gate)
        {
            if (kept.TryGetValue(key, out var features))
            {
                features.Memory.AddRef();
            }

            return features;
        }
    }

    private void Keep(string key, ImageFeatures features)
    {
        lock (gate)
        {
            if (Bytes + features.Memory.Length <= budgetBytes && kept.TryAdd(key, features))
            {
                features.Memory.AddRef();
                Bytes += features.Memory.Length;
            }
        }
    }
}
