using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Fovea.Hub.Http;
using Microsoft.Win32.SafeHandles;

namespace Fovea.Hub.Fetching;

/// <summary>
/// Brings one file: in parts that are asked for side by side, each again from where it broke off, into a hidden file that a later try goes on with; it gets its
/// name once size and hash are right.
/// </summary>
internal sealed class FileDownload(HubHttp http, HubFile file, Uri address, string incomplete, Connections connections, SemaphoreSlim slots)
{
    private const int TriesWithoutProgress = 5;

    private readonly TaskCompletionSource<bool> ranges = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Uri? elsewhere;
    private volatile Uri? refused; // by what another part still had under way, it would come back

    private string JournalPath => Path.ChangeExtension(incomplete, ".ranges");

    /// <summary>Called with what came, and with the negative of what has to come again.</summary>
    public Action<long> Came { get; init; } = _ => { };

    /// <summary>What an answer that is no content means.</summary>
    public required Func<HttpResponseMessage, Task<HubException>> Explain { get; init; }

    /// <summary>Bytes that an earlier try left.</summary>
    public static long Left(string incomplete, long size)
    {
        var journal = Path.ChangeExtension(incomplete, ".ranges");
        if (!File.Exists(incomplete) || !File.Exists(journal))
        {
            return 0;
        }

        using var there = RangeJournal.Open(journal, size);
        return there.Bytes;
    }

    /// <summary>Fetches what is missing, checks the whole and moves it to its place.</summary>
    /// <exception cref="HubException">It cannot be had, or is not what the hub's listing promised even when fetched anew.</exception>
    public async Task To(string place, CancellationToken cancel)
    {
        for (var first = true; ; first = false)
        {
            await Fetch(cancel).ConfigureAwait(false);
            if (await IsRight(cancel).ConfigureAwait(false))
            {
                break;
            }

            Forget();
            Came(-file.Size);
            if (!first)
            {
                throw new HubException(HubFault.Damaged, $"{file.Path} from {address.Host} does not have the hash {file.Etag} that the hub names, twice: "
                    + "a proxy or the server damages it; nothing was kept");
            }
        }

        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        File.Move(incomplete, place, overwrite: true);
        File.Delete(JournalPath);
    }

    private async Task Fetch(CancellationToken cancel)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(incomplete)!);
        if (!File.Exists(incomplete))
        {
            File.Delete(JournalPath);
        }

        using var handle = File.OpenHandle(incomplete, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        using var journal = RangeJournal.Open(JournalPath, file.Size);
        if (RandomAccess.GetLength(handle) != file.Size)
        {
            RandomAccess.SetLength(handle, file.Size);
        }

        var parts = journal.Missing(file.Size, connections.PartBytes);
        if (parts.Count == 0)
        {
            return;
        }

        // The first answer shows whether the server gives parts at all; the others wait for it.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var work = parts.Select((part, number) => Task.Run(async () =>
        {
            if (number > 0 && !await ranges.Task.WaitAsync(stop.Token).ConfigureAwait(false))
            {
                return;
            }

            try
            {
                await Part(handle, journal, part.From, part.To, number == 0, stop.Token).ConfigureAwait(false);
            }
            catch
            {
                await stop.CancelAsync().ConfigureAwait(false);
                throw;
            }
        }, stop.Token)).ToList();
        try
        {
            await Task.WhenAll(work).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw work.Where(task => task.IsFaulted).Select(task => task.Exception!.InnerException!).First();
        }
    }

    private async Task Part(SafeFileHandle handle, RangeJournal journal, long from, long to, bool leads, CancellationToken cancel)
    {
        var (at, furthest, whole) = (from, from, false);
        for (var tries = 1; at < to; tries++)
        {
            var (failure, named) = ((Exception?)null, (HttpResponseMessage?)null);
            await slots.WaitAsync(cancel).ConfigureAwait(false);
            try
            {
                using var response = await http.Once(() => Request(at, to), cancel).ConfigureAwait(false);
                if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent)
                {
                    if (response.RequestMessage!.RequestUri is { } source && !http.IsHub(source) && source != refused)
                    {
                        elsewhere = source; // signed for a while: the other parts need not ask the hub again
                    }

                    if (response.StatusCode == HttpStatusCode.OK && !(at == 0 && to == file.Size))
                    {
                        if (!leads)
                        {
                            throw new IOException("the server sends the whole file where a part was asked for");
                        }

                        // No parts here: everything in one stream, from the beginning.
                        Came(whole ? -at : -journal.Bytes);
                        ranges.TrySetResult(false);
                        (at, to, whole) = (0, file.Size, true);
                    }
                    else
                    {
                        CheckPlace(response, at);
                        ranges.TrySetResult(true);
                    }

                    at = await Store(response, handle, journal, at, to, reached => at = reached, cancel).ConfigureAwait(false);
                    continue;
                }

                failure = await Refusal(response, at, cancel).ConfigureAwait(false);
                named = response.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable ? Copy(response) : null;
            }
            catch (Exception e) when (HubHttp.IsFailure(e, cancel))
            {
                failure = e;
            }
            finally
            {
                slots.Release();
            }

            (tries, furthest) = at > furthest ? (1, at) : (tries, furthest);
            if (tries >= TriesWithoutProgress)
            {
                throw failure as HubException ?? http.Unreachable(failure!);
            }

            using (named)
            {
                await http.Pause(tries, named, cancel).ConfigureAwait(false);
            }
        }
    }

    private HttpRequestMessage Request(long from, long to)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, elsewhere ?? address);
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (from > 0 || to < file.Size)
        {
            request.Headers.Range = new RangeHeaderValue(from, to - 1);
        }

        return request;
    }

    /// <summary>What comes goes to its place, piece by piece; returns where the stream ended.</summary>
    private async Task<long> Store(
        HttpResponseMessage response, SafeFileHandle handle, RangeJournal journal, long at, long to, Action<long> reached, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(connections.PieceBytes);
        try
        {
            var stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                while (at < to)
                {
                    var wanted = (int)Math.Min(connections.PieceBytes, to - at);
                    var (filled, failure) = await Fill(stream, buffer.AsMemory(0, wanted), cancel).ConfigureAwait(false);
                    if (filled > 0)
                    {
                        await RandomAccess.WriteAsync(handle, buffer.AsMemory(0, filled), at, CancellationToken.None).ConfigureAwait(false);
                        journal.Add(at, at + filled);
                        at += filled;
                        Came(filled);
                        reached(at);
                    }

                    if (failure is not null)
                    {
                        throw failure;
                    }

                    if (filled < wanted)
                    {
                        throw new IOException("the connection ended early");
                    }
                }
            }

            return at;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // What came before a cut is kept, so the failure follows the bytes.
    private async Task<(int Filled, Exception? Failure)> Fill(Stream stream, Memory<byte> buffer, CancellationToken cancel)
    {
        var filled = 0;
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            while (filled < buffer.Length)
            {
                silence.CancelAfter(http.Patience);
                var read = await stream.ReadAsync(buffer[filled..], silence.Token).ConfigureAwait(false);
                if (read == 0)
                {
                    break;
                }

                filled += read;
            }

            return (filled, null);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            return (filled, new TimeoutException($"nothing came for {http.Patience.TotalSeconds:0} seconds", e));
        }
        catch (OperationCanceledException e)
        {
            return (filled, e);
        }
        catch (Exception e) when (HubHttp.IsFailure(e, cancel))
        {
            return (filled, e);
        }
    }

    private void CheckPlace(HttpResponseMessage response, long at)
    {
        var range = response.Content.Headers.ContentRange;
        if (response.StatusCode == HttpStatusCode.PartialContent && (range?.From != at || (range.Length is { } whole && whole != file.Size)))
        {
            throw new IOException($"the server sends {range?.ToString() ?? "an unnamed part"} where the part from {at} of {file.Size} was asked for");
        }

        if (response.StatusCode == HttpStatusCode.OK && response.Content.Headers.ContentLength is { } length && length != file.Size
            && response.Content.Headers.ContentEncoding.Count == 0)
        {
            throw new HubException(HubFault.Damaged, $"{file.Path} has {length} bytes on {address.Host}, not the {file.Size} of the hub's listing");
        }
    }

    private async Task<Exception> Refusal(HttpResponseMessage response, long at, CancellationToken cancel)
    {
        if (response.RequestMessage?.RequestUri is { } source && !http.IsHub(source) && (int)response.StatusCode is >= 400 and < 500 and not 416)
        {
            (elsewhere, refused) = (null, source); // its signature has run out: the hub gives another
            return new IOException($"{source.Host} refuses ({(int)response.StatusCode})");
        }

        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            throw new HubException(HubFault.Damaged, $"{file.Path} ends before byte {at} on {address.Host}, though the hub's listing says {file.Size} bytes");
        }

        cancel.ThrowIfCancellationRequested();
        var error = await Explain(response).ConfigureAwait(false);
        return HubHttp.IsPassing(response.StatusCode) ? error : throw error;
    }

    private static HttpResponseMessage Copy(HttpResponseMessage response)
    {
        var copy = new HttpResponseMessage(response.StatusCode);
        copy.Headers.RetryAfter = response.Headers.RetryAfter;
        foreach (var limit in response.Headers.TryGetValues("RateLimit", out var limits) ? limits : [])
        {
            copy.Headers.TryAddWithoutValidation("RateLimit", limit);
        }

        return copy;
    }

    private async Task<bool> IsRight(CancellationToken cancel)
    {
        var stream = new FileStream(incomplete, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 20, FileOptions.SequentialScan);
        await using (stream.ConfigureAwait(false))
        {
            return stream.Length == file.Size && await HashOf(file, stream, cancel).ConfigureAwait(false) is not false;
        }
    }

    /// <summary>Whether a content has the hash that a listing names; null where it names none.</summary>
    internal static async Task<bool?> HashOf(HubFile file, Stream content, CancellationToken cancel)
    {
        if (file.Sha256 is { } sha256)
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancel).ConfigureAwait(false))
                .Equals(sha256, StringComparison.OrdinalIgnoreCase);
        }

        return file.BlobId.Length != 40 ? null
            : (await GitBlob.IdOf(content, file.Size, cancel).ConfigureAwait(false)).Equals(file.BlobId, StringComparison.OrdinalIgnoreCase);
    }

    private void Forget()
    {
        File.Delete(incomplete);
        File.Delete(JournalPath);
    }
}
