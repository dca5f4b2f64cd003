using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Training.Config;
using Fovea.Training.Session;

namespace Fovea.Training.Answers;

/// <summary>What answers depend on: the model with its adapters, the rows with their images, and how answers are generated.</summary>
internal static class AnswerIdentity
{
    public static string Of(TrainConfig config, ModelSource source, DataSetup setup, RowQuestions questions, GenerationOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Add(JsonSerializer.Serialize(AdapterBase.Of(source, config.Model.AdapterNameOrPath)));
        Add(JsonSerializer.Serialize(GenerationText.Settings(options)));
        Add($"{config.Run.Seed} {config.Model.InferDtype} {config.Generation.SkipSpecialTokens} {setup.Template.Name} {setup.Images.Identity}");
        Add(config.Data.DefaultSystem ?? string.Empty);
        if (setup.Template is { Thought: not null } or { Model: not null })
        {
            Add($"{config.Data.EnableThinking} {config.Data.PreserveThinking}");
        }

        for (var row = 0; row < questions.Count; row++)
        {
            Row(questions.Given(row));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());

        void Row(Conversation row)
        {
            foreach (var message in row.Messages)
            {
                Add($"{message.Role} {Placeholders.Join(message)}");
                foreach (var part in message.Parts.Where(part => part is ObjectName or ObjectPlace))
                {
                    Add($"{part} {config.Data.BboxFormat} {config.Data.NormBbox}");
                }
            }

            if (row.Tools is not null)
            {
                Add(row.Tools);
            }

            foreach (var image in row.Images)
            {
                Add(image.Path is { } path && new FileInfo(path) is { Exists: true } file
                    ? string.Create(CultureInfo.InvariantCulture, $"{path} {image.Offset} {image.Length} {file.Length} {file.LastWriteTimeUtc.Ticks}")
                    : image.Path ?? Convert.ToHexStringLower(SHA256.HashData(image.ReadBytes())));
            }
        }

        // Each with its length, so that no two lists of texts look alike.
        void Add(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
    }
}
