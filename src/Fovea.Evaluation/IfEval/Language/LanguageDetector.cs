namespace Fovea.Evaluation.IfEval.Language;

/// <summary>
/// Which of 55 languages a text is in, as langdetect 1.0.9 says with seed 0: a naive Bayes classifier of groups of characters, drawn at random until one
/// language is nearly certain, seven times over (Nakatani 2010).
/// </summary>
internal static class LanguageDetector
{
    private const int Trials = 7;
    private const int MostDraws = 1000;
    private const double Alpha = 0.5;
    private const double AlphaWidth = 0.05;
    private const double BaseFrequency = 10000;
    private const double Certain = 0.99999;
    private const double Least = 0.1;

    /// <summary>
    /// ISO 639-1 (Chinese: <c>zh-cn</c>, <c>zh-tw</c>); <c>unknown</c> where no language is likely; null where the text has no letters to go by.
    /// </summary>
    public static string? Detect(string text)
    {
        var profiles = LanguageProfiles.Instance;
        var grams = DetectorText.Grams(text, profiles);
        if (grams.Count == 0)
        {
            return null;
        }

        var random = new PythonRandom(0);
        var mean = new double[profiles.Names.Count];
        for (var trial = 0; trial < Trials; trial++)
        {
            var probabilities = Trial(grams, profiles, random);
            for (var i = 0; i < mean.Length; i++)
            {
                mean[i] += probabilities[i] / Trials;
            }
        }

        var best = 0;
        for (var i = 1; i < mean.Length; i++)
        {
            best = mean[i] > mean[best] ? i : best;
        }

        return mean[best] > Least ? profiles.Names[best] : "unknown";
    }

    private static double[] Trial(List<string> grams, LanguageProfiles profiles, PythonRandom random)
    {
        var probabilities = new double[profiles.Names.Count];
        Array.Fill(probabilities, 1.0 / probabilities.Length);
        var weight = (Alpha + (random.NextGauss() * AlphaWidth)) / BaseFrequency;
        var factors = new double[probabilities.Length];
        for (var draw = 0; ; draw++)
        {
            Array.Fill(factors, weight);
            foreach (var (language, share) in profiles.Find(grams[random.NextIndex(grams.Count)])!)
            {
                factors[language] = weight + share;
            }

            for (var i = 0; i < probabilities.Length; i++)
            {
                probabilities[i] *= factors[i];
            }

            if (draw % 5 == 0 && (Normalize(probabilities) > Certain || draw >= MostDraws))
            {
                return probabilities;
            }
        }
    }

    private static double Normalize(double[] probabilities)
    {
        var sum = 0.0;
        foreach (var probability in probabilities)
        {
            sum += probability;
        }

        var most = 0.0;
        for (var i = 0; i < probabilities.Length; i++)
        {
            probabilities[i] /= sum;
            most = Math.Max(most, probabilities[i]);
        }

        return most;
    }
}
