package io.github.kdtf.books.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** What two books have in common, by the rules of tests/shared_traits/README.md. */
public final class SharedTraits {
    /** Names of a list that count: lists of authors begin with the most important ones. */
    private static final int MAX_NAMES = 3;

    private static final int MAX_WORDS = 3;

    /** Letters of Korean, as keys have them, of Chinese and Japanese, where a name is one word. */
    private static final Pattern ONE_WORD_NAME =
            Pattern.compile("[\\u1100-\\u11ff\\u2e80-\\x{10ffff}]");

    private static final Pattern SEPARATOR = Pattern.compile("[,;&]| and ");
    private static final Pattern VOLUME = Pattern.compile("(?: [0-9]+)+$");
    private static final Pattern BLANKS = Pattern.compile("\\s+");

    /** As the recommended book has them. */
    public final List<String> authors;

    public final boolean sameSeries;

    /** What both are about, strongest first. */
    public final List<String> words;

    private SharedTraits(List<String> authors, boolean sameSeries, List<String> words) {
        this.authors = authors;
        this.sameSeries = sameSeries;
        this.words = words;
    }

    public static SharedTraits of(Book recommended, Book read) {
        return of(recommended.authors, read.authors, recommended.series, read.series,
                recommended.words, read.words);
    }

    /** Of the recommended book and another one; every text may be null. */
    public static SharedTraits of(String authors, String otherAuthors, String series,
            String otherSeries, String words, String otherWords) {
        return new SharedTraits(authors(blank(authors), blank(otherAuthors)),
                isSameSeries(blank(series), blank(otherSeries)),
                words(blank(words), blank(otherWords)));
    }

    /**
     * A name of one word, which may be the family name alone of "Oak, Ann", counts only if it is
     * the whole list of one of the books.
     */
    private static List<String> authors(String authors, String others) {
        Set<String> otherKeys = new HashSet<>();
        for (String name : names(others)) {
            otherKeys.add(key(name));
        }
        List<String> lists = Arrays.asList(key(authors), key(others));
        Set<String> keys = new HashSet<>();
        List<String> shared = new ArrayList<>();
        for (String name : names(authors)) {
            String key = key(name);
            boolean whole = lists.contains(key) || isFullName(key);
            if (!key.isEmpty() && otherKeys.contains(key) && whole && keys.add(key)) {
                shared.add(name);
            }
        }
        if (shared.isEmpty() && !lists.get(0).isEmpty() && lists.get(0).equals(lists.get(1))) {
            shared.add(tidy(authors));
        }
        return Collections.unmodifiableList(shared);
    }

    /** A number at the end does not count. */
    private static boolean isSameSeries(String series, String other) {
        String key = VOLUME.matcher(key(series)).replaceFirst("");
        return !key.isEmpty() && key.equals(VOLUME.matcher(key(other)).replaceFirst(""));
    }

    private static List<String> words(String words, String others) {
        Set<String> shared = new LinkedHashSet<>(Arrays.asList(words.split(" ")));
        shared.retainAll(new HashSet<>(Arrays.asList(others.split(" "))));
        shared.remove("");
        List<String> first = new ArrayList<>(shared);
        return Collections.unmodifiableList(
                first.subList(0, Math.min(MAX_WORDS, first.size())));
    }

    /** The form in which names are compared; empty for one that is too long to be a name. */
    private static String key(String text) {
        return PlainText.isLong(text) ? "" : PlainText.of(text);
    }

    private static List<String> names(String authors) {
        List<String> names = new ArrayList<>();
        for (String part : SEPARATOR.split(authors)) {
            String name = tidy(part);
            if (!name.isEmpty() && names.size() < MAX_NAMES) {
                names.add(name);
            }
        }
        return names;
    }

    private static String tidy(String text) {
        return BLANKS.matcher(text.trim()).replaceAll(" ");
    }

    private static boolean isFullName(String key) {
        if (ONE_WORD_NAME.matcher(key).lookingAt()) {
            return true;
        }
        boolean ofInitials = true;
        String[] words = key.split(" ");
        for (String word : words) {
            ofInitials &= word.codePointCount(0, word.length()) == 1;
        }
        return words.length > 1 && !ofInitials;
    }

    private static String blank(String text) {
        return text == null ? "" : text;
    }
}
