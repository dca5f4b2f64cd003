// Drawn receipts to records in JSON: a feature that reads pictures, from data to an endpoint.
//
//   Receipts all                                          everything below, with a tiny model that is made first
//   Receipts draw | train | evaluate | serve
//     --model Qwen/Qwen2.5-VL-3B-Instruct                 a real base: a folder or a name on the hub
//     --output saves/receipts   --url http://127.0.0.1:8000
using Fovea;
using Receipts;

var given = new Dictionary<string, string>();
for (var i = 1; i + 1 < args.Length; i += 2)
{
    given[args[i]] = args[i + 1];
}

string[] verbs = ["draw", "train", "evaluate", "serve"];
if (args is not [var verb, ..] || args.Length % 2 == 0 || !verbs.Append("all").Contains(verb) || given.Keys.Except(["--model", "--output", "--url"]).Any())
{
    Console.Error.WriteLine("usage: Receipts draw|train|evaluate|serve|all [--model FOLDER_OR_NAME] [--output FOLDER] [--url URL]");
    return 2;
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, key) =>
{
    key.Cancel = true;
    stop.Cancel();
};

var folders = new Folders(given.GetValueOrDefault("--output", "output/receipts"));
var model = given.GetValueOrDefault("--model");
var data = new Dataset(folders.Data);
try
{
    foreach (var step in verb == "all" ? verbs : [verb])
    {
        await Do(step);
    }

    return 0;
}
catch (ConfigException e)
{
    Console.Error.WriteLine(string.Join('\n', e.Problems));
    return 2;
}
catch (FoveaException e)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
catch (OperationCanceledException)
{
    return 130;
}

async Task Do(string step)
{
    if (step != "draw" && !Directory.Exists(folders.Data))
    {
        throw new ConfigException($"{folders.Data} is not there: draw receipts first (Receipts draw)");
    }

    switch (step)
    {
        case "draw":
            data.Draw(lines: 5600, captions: 5600, train: 2400, test: 200, seed: 7);
            break;
        case "train":
            if (model is null)
            {
                await Training.MakeTinyBase(folders, stop.Token);
            }

            await Training.Tune(model ?? folders.Base, folders, tiny: model is null, stop.Token);
            break;
        case "evaluate":
            await Evaluation.Run("before", model ?? folders.Base, null, data, stop.Token);
            await Evaluation.Run("after", model ?? folders.Base, folders.Adapter, data, stop.Token);
            break;
        case "serve":
            await Service.Run(model ?? folders.Base, folders.Adapter, given.GetValueOrDefault("--url", "http://127.0.0.1:8000"), stop.Token);
            break;
    }
}
