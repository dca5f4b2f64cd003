using System.CommandLine;
using System.Text.Json;
using Fovea.Cli.Demo;
using Fovea.Cli.Verbs;

namespace Fovea.Bench.Verbs;

/// <summary><c>fovea bench serve</c></summary>
internal static class ServeBenchVerb
{
    public static Command Create()
    {
        var model = new Option<string?>("--model") { Description = "Model folder; default: the demonstration's, of two million random weights." }.IsPath();
        var clients = new Option<int>("--clients") { Description = "Clients at once.", DefaultValueFactory = _ => 64 };
        var minutes = new Option<double>("--minutes") { Description = "How long they ask.", DefaultValueFactory = _ => 10 };
        var json = ResultFile.Option();
        var verb = new Command("serve", """
            Clients that ask a server at once: errors, time to first token and to the end, memory of each minute and of the last over the second, pages left.

              fovea bench serve
              fovea bench serve --clients 64 --minutes 2 --json serve.json
            """)
        {
            model, clients, minutes, json,
        };
        verb.SetAction(parsed =>
        {
            var own = parsed.GetValue(model) is null ? Directory.CreateTempSubdirectory("fovea-serve-") : null;
            try
            {
                var folder = parsed.GetValue(model) ?? own!.FullName;
                if (own is not null)
                {
                    DemoModel.Write(folder, new DemoTokenizer(DemoData.Texts), seed: 1);
                }

                var figures = new ServeBench(folder, parsed.GetValue(clients), TimeSpan.FromMinutes(parsed.GetValue(minutes)), Console.Error.WriteLine).Run();
                Console.Out.WriteLine(JsonSerializer.Serialize(figures, ResultFile.Json));
                ResultFile.Save(figures, parsed.GetValue(json));
                return figures.ErrorCount == 0 && figures.PagesInUseAfter == 0 && figures.ExitCode == 0 ? 0 : 1;
            }
            finally
            {
                own?.Delete(recursive: true);
            }
        });
        return verb;
    }
}
