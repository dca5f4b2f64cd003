using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Json.Schema;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Fovea.Tests.House;

/// <summary>The examples for containers and Kubernetes: written as their readers want them, naming what is there. No container is built here.</summary>
public sealed partial class DeployTests
{
    private static string Folder => Path.Combine(TestFiles.Root, "examples", "deploy");

    private static JsonSchema Schema { get; } = JsonSchema.FromFile(TestFiles.Golden("deploy/kubernetes.schema.json"));

    [Theory]
    [InlineData("train.yaml", 1)]
    [InlineData("serve.yaml", 2)]
    public void Kubernetes_objects_have_the_fields_of_their_kind(string file, int documents)
    {
        var read = Documents(File.ReadAllText(Path.Combine(Folder, "kubernetes", file)));
        Assert.Equal(documents, read.Count);
        Assert.All(read, document => Assert.True(Valid(document), document.ToJsonString()));
    }

    [Theory]
    [InlineData("nprocPerNode: \"4\"", "nprocPerNode: 4")]
    [InlineData("cleanPodPolicy", "cleanPodsPolicy")]
    [InlineData("restartPolicy: OnFailure", "restartPolicy: OnError")]
    [InlineData("memory: 200Gi", "memory: 200GB")]
    [InlineData("image: registry.example.com/fovea:cuda", "image: registry.example.com/fovea")]
    public void A_mistake_in_them_is_found(string right, string wrong)
    {
        var text = File.ReadAllText(Path.Combine(Folder, "kubernetes", "train.yaml"));
        Assert.Contains(right, text, StringComparison.Ordinal);
        Assert.False(Valid(Documents(text.Replace(right, wrong, StringComparison.Ordinal)).Single()));
    }

    [Theory]
    [InlineData("train.yaml")]
    [InlineData("serve.yaml")]
    public void What_a_container_mounts_is_among_the_volumes_of_its_pod(string file)
    {
        foreach (var pod in Documents(File.ReadAllText(Path.Combine(Folder, "kubernetes", file))).SelectMany(Pods))
        {
            var volumes = pod["volumes"]!.AsArray().Select(volume => (string?)volume!["name"]).ToHashSet();
            var mounted = pod["containers"]!.AsArray().SelectMany(container => container!["volumeMounts"]!.AsArray()).Select(mount => (string?)mount!["name"]);
            Assert.Equal(volumes, mounted.ToHashSet());
        }
    }

    [Fact]
    public void The_image_gets_everything_that_a_build_reads()
    {
        var kept = File.ReadAllLines(Path.Combine(TestFiles.Root, ".dockerignore"));
        string[] read = ["fovea", "eng", "native", "src", "bench/Fovea.Bench", "global.json", "Directory.Build.props", "Directory.Packages.props"];
        foreach (var needed in read)
        {
            Assert.True(Path.Exists(Path.Combine(TestFiles.Root, needed)), needed);
            Assert.DoesNotContain(kept, line => line == needed || needed.StartsWith($"{line}/", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Arguments_of_the_image_are_declared_before_they_are_used()
    {
        var declared = new HashSet<string> { "PATH", "HOME" };
        var used = 0;
        foreach (var line in File.ReadAllLines(Path.Combine(Folder, "Dockerfile")).Where(line => !line.StartsWith('#')))
        {
            foreach (Match name in Variable().Matches(line))
            {
                used++;
                Assert.Contains(name.Groups[1].Value, declared);
            }

            if (line.StartsWith("ARG ", StringComparison.Ordinal))
            {
                declared.Add(line["ARG ".Length..].Split('=')[0]);
            }
        }

        Assert.True(used >= 4);
    }

    private static bool Valid(JsonObject document) => Schema.Evaluate(System.Text.Json.JsonSerializer.SerializeToElement(document)).IsValid;

    private static IEnumerable<JsonObject> Pods(JsonObject document) => document["spec"] switch
    {
        JsonObject spec when spec["pytorchReplicaSpecs"] is JsonObject roles => roles.Select(role => role.Value!["template"]!["spec"]!.AsObject()),
        JsonObject spec when spec["template"] is JsonObject template => [template["spec"]!.AsObject()],
        _ => [],
    };

    private static List<JsonObject> Documents(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return [.. stream.Documents.Select(document => Json(document.RootNode)!.AsObject())];
    }

    // Scalars without quotes are numbers, truth values and null where they look like them, as Kubernetes reads YAML.
    private static JsonNode? Json(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(child => KeyValuePair.Create(((YamlScalarNode)child.Key).Value!, Json(child.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(Json)]),
        YamlScalarNode { Style: not ScalarStyle.Plain } text => JsonValue.Create(text.Value),
        YamlScalarNode { Value: "true" or "false" } flag => JsonValue.Create(flag.Value == "true"),
        YamlScalarNode { Value: "null" or "~" or "" } => null,
        YamlScalarNode text when long.TryParse(text.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) =>
            JsonValue.Create(number),
        YamlScalarNode text => JsonValue.Create(text.Value),
        _ => throw new InvalidDataException(node.NodeType.ToString()),
    };

    [GeneratedRegex(@"\$\{(\w+)\}")]
    private static partial Regex Variable();
}
