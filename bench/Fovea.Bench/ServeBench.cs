using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace Fovea.Bench;

/// <summary>Many clients that ask <c>fovea serve</c> at once: chats with and without images, whole and streamed, and clients that vanish.</summary>
internal sealed class ServeBench(string model, int clients, TimeSpan time, Action<string> note)
{
    private const double Vanishing = 0.05;
    private readonly ConcurrentQueue<(TimeSpan At, double Seconds)> first = new();
    private readonly ConcurrentQueue<(TimeSpan At, double Seconds)> whole = new();
    private readonly ConcurrentQueue<string> errors = new();
    private long tokens;
    private int vanished;
    private string name = string.Empty;
    private string[] images = [];

    public ServeFigures Run() => RunAsync().GetAwaiter().GetResult();

    private async Task<ServeFigures> RunAsync()
    {
        images = [.. Enumerable.Range(0, 8).Select(Picture)];
        var cli = Path.Combine(Path.GetDirectoryName(Program.Path)!, "Fovea.Cli.dll");
        using var server = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [cli, "serve", "--model", model, "--port", "0"])
        {
            RedirectStandardOutput = true,
        })!;
        try
        {
            var url = await Ready(server).ConfigureAwait(false);
            using var http = new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromMinutes(5) };
            name = (await http.GetFromJsonAsync<JsonElement>("/v1/models").ConfigureAwait(false)).GetProperty("data")[0].GetProperty("id").GetString()!;
            note($"{clients} clients for {time.TotalMinutes} minutes at {url}, model {name}");
            var watch = Stopwatch.StartNew();
            using var end = new CancellationTokenSource(time);
            var asking = Enumerable.Range(0, clients).Select(client => Task.Run(() => Ask(http, client, watch, end.Token))).ToList();
            var (early, minutes, begun) = (0L, new List<ServeMinute>(), TimeSpan.Zero);
            var warm = TimeSpan.FromTicks(Math.Min(TimeSpan.FromMinutes(2).Ticks, time.Ticks / 2));
            while (watch.Elapsed < time)
            {
                await Task.Delay(TimeSpan.FromSeconds(1)).ConfigureAwait(false);
                if (early == 0 && watch.Elapsed >= warm)
                {
                    early = Anonymous(server.Id);
                }

                if (watch.Elapsed - begun >= TimeSpan.FromMinutes(1) || watch.Elapsed >= time)
                {
                    minutes.Add(Minute(begun, watch.Elapsed, Anonymous(server.Id)));
                    begun = watch.Elapsed;
                }
            }

            var late = Anonymous(server.Id);
            await Task.WhenAll(asking).ConfigureAwait(false);
            var pages = await PagesInUse(http).ConfigureAwait(false);
            var result = new ServeFigures
            {
                Clients = clients,
                Seconds = watch.Elapsed.TotalSeconds,
                Answers = whole.Count,
                Vanished = vanished,
                Errors = [.. errors.Take(10)],
                ErrorCount = errors.Count,
                TokensPerSecond = tokens / watch.Elapsed.TotalSeconds,
                FirstTokenSeconds = Quantiles(first.Select(one => one.Seconds)),
                WholeSeconds = Quantiles(whole.Select(one => one.Seconds)),
                Minutes = [.. minutes],
                AnonMibEarly = early / (double)(1 << 20),
                AnonMibLate = late / (double)(1 << 20),
                PagesInUseAfter = pages,
                ExitCode = await Stop(server).ConfigureAwait(false),
            };
            note(string.Create(
                CultureInfo.InvariantCulture,
                $"RssAnon {result.AnonMibLate:0.0} MiB at the end, {result.AnonRatio:0.0000} of that after {warm.TotalMinutes:0.0} minutes; "
                + $"{result.ErrorCount} errors, {pages} pages in use after the drain"));
            return result;
        }
        finally
        {
            if (!server.HasExited)
            {
                server.Kill();
            }
        }
    }

    private ServeMinute Minute(TimeSpan from, TimeSpan to, long anonymous)
    {
        var (firsts, wholes) = (Within(first), Within(whole));
        var minute = new ServeMinute
        {
            Minute = to.TotalMinutes,
            AnonMib = anonymous / (double)(1 << 20),
            Answers = wholes.Count,
            Errors = errors.Count,
            FirstTokenSeconds = Quantiles(firsts),
            WholeSeconds = Quantiles(wholes),
        };
        note(string.Create(
            CultureInfo.InvariantCulture,
            $"minute {minute.Minute:0.0}: RssAnon {minute.AnonMib:0.0} MiB, {minute.Answers} answers, first token p50/p99 {Text(minute.FirstTokenSeconds)} s, "
            + $"whole p50/p99 {Text(minute.WholeSeconds)} s, {minute.Errors} errors so far"));
        return minute;

        List<double> Within(IEnumerable<(TimeSpan At, double Seconds)> times) =>
            [.. times.Where(one => one.At >= from && one.At < to).Select(one => one.Seconds)];

        static string Text(double[] quantiles) => string.Join('/', quantiles.Select(value => value.ToString("0.000", CultureInfo.InvariantCulture)));
    }

    private static async Task<string> Ready(Process server)
    {
        while (await server.StandardOutput.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            if (line.StartsWith("ready: ", StringComparison.Ordinal))
            {
                return line[(line.LastIndexOf(' ') + 1)..^"/v1".Length];
            }
        }

        throw new ConfigException("the server ended before it was ready");
    }

    private async Task Ask(HttpClient http, int client, Stopwatch watch, CancellationToken end)
    {
        for (ulong turn = 0; !end.IsCancellationRequested; turn++)
        {
            var draw = SplitMix.Mix((ulong)client, turn);
            var (seen, streams, vanishes) = (draw % 3 == 0, draw % 2 == 0, (draw >> 32) % 1000 < Vanishing * 1000);
            var text = $"Describe it. {new string('x', (int)(draw % 50))}";
            object content = seen
                ? new object[] { new { type = "image_url", image_url = new { url = images[draw % 8] } }, new { type = "text", text } }
                : text;
            var body = new
            {
                model = name, stream = streams, temperature = draw % 5 == 0 ? 1.0 : 0.0, seed = 1, max_tokens = 8 + (int)(draw % 57),
                messages = new[] { new { role = "user", content } },
            };
            var begun = watch.Elapsed;
            try
            {
                using var cut = new CancellationTokenSource();
                using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = JsonContent.Create(body) };
                using var reply = await http.SendAsync(ask, HttpCompletionOption.ResponseHeadersRead, cut.Token).ConfigureAwait(false);
                reply.EnsureSuccessStatusCode();
                using var stream = await reply.Content.ReadAsStreamAsync(CancellationToken.None).ConfigureAwait(false);
                using var lines = new StreamReader(stream, Encoding.UTF8);
                var (pieces, done, got) = (0, !streams, string.Empty);
                while (await lines.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } line)
                {
                    if (streams && line.Contains("\"content\":", StringComparison.Ordinal) && pieces++ == 1)
                    {
                        first.Enqueue((watch.Elapsed, (watch.Elapsed - begun).TotalSeconds));
                        if (vanishes)
                        {
                            break;
                        }
                    }

                    done |= line == "data: [DONE]";
                    got = line.Length > 0 ? line : got;
                }

                if (vanishes && streams)
                {
                    Interlocked.Increment(ref vanished);
                    continue;
                }

                whole.Enqueue((watch.Elapsed, (watch.Elapsed - begun).TotalSeconds));
                Interlocked.Add(ref tokens, streams ? pieces : Made(JsonSerializer.Deserialize<JsonElement>(got)));
                if (!done)
                {
                    errors.Enqueue($"a stream ended without its mark: {got}");
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TaskCanceledException or JsonException)
            {
                errors.Enqueue(e.Message);
            }
        }
    }

    private static int Made(JsonElement reply) => reply.GetProperty("usage").GetProperty("completion_tokens").GetInt32();

    // Clients that have vanished may not have been noticed yet.
    private static async Task<int> PagesInUse(HttpClient http)
    {
        var pages = -1;
        for (var look = 0; look < 50 && pages != 0; look++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100)).ConfigureAwait(false);
            var metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative)).ConfigureAwait(false);
            var line = metrics.Split('\n').Single(line => line.StartsWith("fovea_server_pages_in_use", StringComparison.Ordinal));
            pages = int.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
        }

        return pages;
    }

    private static async Task<int> Stop(Process server)
    {
        using var kill = Process.Start("/bin/sh", ["-c", $"kill -TERM {server.Id}"]);
        await server.WaitForExitAsync().ConfigureAwait(false);
        return server.ExitCode;
    }

    private static long Anonymous(int process)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }

    private static double[] Quantiles(IEnumerable<double> times)
    {
        var sorted = times.Order().ToArray();
        return sorted.Length == 0 ? [] : [sorted[sorted.Length / 2], sorted[Math.Min(sorted.Length - 1, sorted.Length * 99 / 100)]];
    }

    private static string Picture(int number)
    {
        var (width, height) = (112 + (28 * number), 112);
        var rgb = new byte[width * height * 3];
        for (var i = 0; i < rgb.Length; i++)
        {
            rgb[i] = (byte)SplitMix.Mix((ulong)number, (ulong)(i / 300));
        }

        return $"data:image/png;base64,{Convert.ToBase64String(Cli.Demo.PngWriter.Encode(width, height, rgb))}";
    }
}
