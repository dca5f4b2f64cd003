using Fovea.Data.Datasets;
using Fovea.Data.Templates;
using Fovea.Evaluation.Report;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>Some samples of a configuration's training data as the model sees them, for a page. No weights are loaded.</summary>
internal static class ShownSamples
{
    private const int PictureSide = 320;

    /// <param name="config">Its model and data are on this machine.</param>
    /// <param name="first">The first sample, from 0 on, in the order of the files.</param>
    /// <param name="count">Most samples.</param>
    /// <returns>An object of JSON.</returns>
    public static object Of(TrainConfig config, int first, int count)
    {
        var setup = DataSetup.From(config, BaseModel.Open(config));
        using var data = DatasetLoader.Load(setup.Options with { OnBadSample = BadSamplePolicy.Skip });
        var (encoder, pictures) = (setup.NewEncoder(), new Thumbnails(PictureSide));
        var samples = Enumerable.Range(first, Math.Clamp(data.Train.Count - first, 0, count))
            .Select(i => One(data.Train, i, setup, encoder, pictures)).ToList();
        return new
        {
            Model = config.Model.Name,
            Template = config.Data.Template ?? "of the model's family",
            CutoffLen = config.Data.CutoffLen,
            Count = data.Train.Count,
            Rejected = data.Rejected.Count,
            First = first,
            Samples = samples,
        };
    }

    private static object One(ConversationSet data, int index, DataSetup setup, ISampleEncoder encoder, Thumbnails pictures)
    {
        var (dataset, row) = data.Origin(index);
        var name = $"{dataset}, row {row}";
        try
        {
            var sample = encoder.Encode(data[index]);
            return new
            {
                Name = name,
                Tokens = sample.Ids.Length,
                Trained = sample.TrainedTokens,
                sample.Truncated,
                Turns = ExampleText.Turns(sample, setup.Tokenizer).Select(turn => new { turn.Tokens, turn.Trained, turn.Text }),
                Images = sample.Images.Where(image => image.Part == 0).Select(image => Picture(image, sample, pictures)).ToList(),
            };
        }
        catch (BadSampleException e)
        {
            return new { Name = name, Problem = data.Place(e.Sample, index).Reason };
        }
    }

    private static object Picture(ImageRef image, EncodedSample sample, Thumbnails pictures)
    {
        var drawn = pictures.Of(image.Source);
        var tokens = sample.Images.Where(part => ReferenceEquals(part.Plan, image.Plan)).Sum(part => part.Tokens);
        return new { Name = Path.GetFileName(image.Source.Name), drawn.Uri, drawn.Problem, Tokens = tokens, Parts = image.Plan.Parts.Count };
    }
}
