using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Tensors;
using Fovea.Native;
using Fovea.Tensors.Native;

namespace Fovea.Training.Features;

/// <summary>
/// Features of images that a frozen vision side has already seen: in memory up to a budget of bytes, and in a folder. They are known by the content of the
/// file and everything else that decides them. What is in memory stays: every epoch sees each image once, so the one used longest ago is needed next.
/// </summary>
/// <param name="budgetBytes">Most bytes in memory.</param>
/// <param name="identity">Hash of model and image processor; asked for once, from a thread that prepares batches. Null where only one model is at work.</param>
/// <param name="disk">The folder, or null. It belongs to the cache.</param>
/// <param name="device">What computes the features. With a GPU they lie in pinned memory, and no copy from or to it is waited for.</param>
/// <param name="queued">Whether copies are queued; null is as the device does. For tests.</param>
internal sealed class VisionFeatureCache(
    long budgetBytes, Func<string>? identity = null, FeatureFolder? disk = null, Device device = default, bool? queued = null) : IFeatureStore, IDisposable
{
    private static readonly TimeSpan LongestCopy = TimeSpan.FromSeconds(10);

    private readonly bool queues = queued ?? device.Type != DeviceType.Cpu;
    private readonly Queue<(string Key, ImageFeatures Features, DeviceEvent Copied)> arriving = new();
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

    public ImageTicket? Ask(MediaContent image, ImageGrid grid, int part = 0)
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
            features = queues ? Pinned(read) : read;
            Keep(key, features);
        }

        return new ImageTicket(image.Source.Path is null ? null : image.Source, key, features, content.Stamp);
    }

    FeatureTicket? IFeatureStore.Ask(MediaContent image, ImageGrid grid, int part) => Ask(image, grid, part);

    public bool IsCurrent(FeatureTicket ticket) =>
        ticket is ImageTicket { Source: { } source } known ? MediaContent.Stamp(source) == known.Stamp : ticket is ImageTicket;

    /// <summary>
    /// Features of all images of the batch in order; null without images. Belongs to the open scope. Images go through the tower one by one, so that
    /// no image's features depend, in their last bits, on which others were at hand.
    /// </summary>
    /// <param name="cache">Null to compute all.</param>
    /// <param name="towerOnly">Features of the tower, before a trainable projector.</param>
    public static VisualFeatures? Features(
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

        var parts = new VisualFeatures[batch.Grids.Length];
        var patch = 0L;
        for (var i = 0; i < parts.Length; i++)
        {
            var grid = batch.Grids[i];
            var ticket = TicketOf(batch, i);
            if (cache?.Take(ticket) is { } known)
            {
                parts[i] = known.Map(tensor => tensor.To(model.Device));
            }
            else
            {
                // The scope frees the outputs of the tower's blocks.
                using var scope = TensorScope.Open("block");
                var one = input with { Pixels = input.Pixels!.Slice(0, patch, patch + grid.Patches), Grids = [grid] };
                parts[i] = (towerOnly ? model.TowerFeatures(one) : model.VisionFeatures(one))!.Map(scope.Release);
                cache?.Put(ticket, parts[i]);
            }

            patch += batch.NeedsPixels(i) ? grid.Patches : 0;
        }

        return VisualFeatures.Join(parts);
    }

    /// <summary>
    /// As <see cref="Features"/>, with all images that were prepared in one run of the tower, or none: so that every rank knows beforehand
    /// which of them run it, and a GPU has as much to do at once as there is.
    /// </summary>
    /// <param name="sent">What <see cref="Send"/> has sent for this batch; null where nothing was.</param>
    public static VisualFeatures? TogetherFeatures(
        VisionLanguageModel model, PackedBatch batch, ModelInput input, VisionFeatureCache? cache, bool towerOnly = false,
        IReadOnlyList<VisualFeatures?>? sent = null)
    {
        if (batch.Grids.Length == 0)
        {
            return null;
        }

        if (!model.ImagesStandAlone)
        {
            return towerOnly ? model.TowerFeatures(input) : model.VisionFeatures(input);
        }

        using var scope = TensorScope.Open("block");
        cache?.Collect(TimeSpan.Zero);
        var run = Enumerable.Range(0, batch.Grids.Length).Where(batch.NeedsPixels).ToList();
        var images = input with { Grids = [.. run.Select(i => batch.Grids[i])] };
        var made = run.Count == 0 ? null : towerOnly ? model.TowerFeatures(images) : model.VisionFeatures(images);
        var parts = new VisualFeatures[batch.Grids.Length];
        var (row, layerRow) = (0L, 0L);
        for (var i = 0; i < parts.Length; i++)
        {
            var ticket = TicketOf(batch, i);
            if (!batch.NeedsPixels(i))
            {
                parts[i] = sent?[i] ?? Sent(cache!.Take(ticket)!, model.Device);
                continue;
            }

            var layerRows = model.FeatureRows(batch.Grids[i]);
            var rows = towerOnly ? model.TowerRows(batch.Grids[i]) : layerRows;
            parts[i] = made!.Slice(row, row + rows, layerRow, layerRow + layerRows);
            (row, layerRow) = (row + rows, layerRow + layerRows);
            cache?.Put(ticket, parts[i]);
        }

        return VisualFeatures.Join(parts).Map(scope.Release);
    }

    /// <summary>Queues copies of the features that the batch's tickets hold, in the open scope; null where an image has none.</summary>
    public IReadOnlyList<VisualFeatures?> Send(PackedBatch batch, Device to) =>
        [.. batch.Tickets.Select(ticket => ticket is ImageTicket { HasFeatures: true } known && Take(known) is { } features ? Sent(features, to) : null)];

    /// <summary>Finishes writing, and frees everything but what tickets still hold.</summary>
    public void Dispose()
    {
        Collect(LongestCopy);
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

        foreach (var (_, features, copied) in arriving)
        {
            features.Memory.Release();
            copied.Dispose();
        }

        arriving.Clear();
    }

    private static VisualFeatures Sent(VisualFeatures features, Device to) => features.Map(tensor => tensor.Send(to));

    private static ImageTicket? TicketOf(PackedBatch batch, int image) => batch.Tickets.Count == 0 ? null : (ImageTicket?)batch.Tickets[image];

    private string KeyOf(byte[] content, ImageGrid grid, int part)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(content);
        hash.AppendData(Encoding.UTF8.GetBytes($"{(part == 0 ? string.Empty : $"{part}: ")}{grid.T} {grid.H} {grid.W} {model.Value}"));
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>Pinned memory comes in powers of two.</summary>
    private long Held(long length) => device.Type == DeviceType.Cpu ? length : (long)BitOperations.RoundUpToPowerOf2((ulong)length);

    /// <summary>What the ticket holds, or what has been computed since it was written.</summary>
    private VisualFeatures? Take(ImageTicket? ticket)
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
        var tensors = features.Tensors();
        features.Memory.Release();
        return tensors;
    }

    private void Put(ImageTicket? ticket, VisualFeatures features)
    {
        Interlocked.Increment(ref misses);
        if (ticket is null || (disk is null && Bytes + Held(ImageFeatures.LengthOf(features)) > budgetBytes))
        {
            return;
        }

        if (queues)
        {
            Fetch(ticket.Key, features);
            return;
        }

        var copy = Copy(features);
        Keep(ticket.Key, copy);
        disk?.Write(ticket.Key, copy);
        copy.Memory.Release();
    }

    private static ImageFeatures Copy(VisualFeatures features)
    {
        var memory = HeapMemory.Allocate(ImageFeatures.LengthOf(features));
        var at = 0;
        foreach (var tensor in (Tensor[])[features.Embeddings, .. features.PerLayer])
        {
            var dense = tensor.To(Device.Cpu).Contiguous();
            var bytes = dense.DType.Size() == 2 ? MemoryMarshal.AsBytes(dense.Elements<short>()) : MemoryMarshal.AsBytes(dense.Elements<float>());
            bytes.CopyTo(memory.Bytes[at..]);
            at += bytes.Length;
        }

        return ImageFeatures.Of(features, memory);
    }

    /// <summary>Queues a copy to pinned memory; <see cref="Collect"/> takes it in when it is there.</summary>
    private void Fetch(string key, VisualFeatures features)
    {
        var copy = ImageFeatures.Of(features, PinnedMemory.Allocate(ImageFeatures.LengthOf(features), device));
        var into = copy.Tensors();
        into.Embeddings.Fetch_(features.Embeddings.Contiguous());
        for (var i = 0; i < copy.Layers; i++)
        {
            into.PerLayer[i].Fetch_(features.PerLayer[i].Contiguous());
        }

        arriving.Enqueue((key, copy, DeviceEvent.Now(device)));
    }

    /// <summary>Takes in what has been copied; waits so long for each. What does not come is given up: the device has failed.</summary>
    private void Collect(TimeSpan patience)
    {
        while (arriving.TryPeek(out var first) && first.Copied.Wait(patience))
        {
            arriving.Dequeue();
            Keep(first.Key, first.Features);
            disk?.Write(first.Key, first.Features);
            first.Features.Memory.Release();
            first.Copied.Dispose();
        }
    }

    /// <summary>The same in pinned memory; gives the reference to the other back.</summary>
    private ImageFeatures Pinned(ImageFeatures features)
    {
        var memory = PinnedMemory.Allocate(features.Memory.Length, device);
        features.Memory.Bytes.CopyTo(memory.Bytes);
        features.Memory.Release();
        return features with { Memory = memory };
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
            if (Bytes + Held(features.Memory.Length) <= budgetBytes && kept.TryAdd(key, features))
            {
                features.Memory.AddRef();
                Bytes += Held(features.Memory.Length);
            }
        }
    }
}
