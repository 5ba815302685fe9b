package io.github.kdtf.books.goodreads;

import io.github.kdtf.books.engine.Book;
import io.github.kdtf.books.engine.Catalog;
import io.github.kdtf.books.engine.PlainText;
import io.github.kdtf.books.engine.TitleKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Which book of the catalogue a row of a library export stands for. */
final class BookMatcher {
    private final Catalog catalog;
    private final Map<String, List<Name>> names = new HashMap<>();

    BookMatcher(Catalog catalog) {
        this.catalog = catalog;
    }

    /** By ISBN, else by title and author, else null; the lowest id where several fit. */
    Book match(LibraryRow row) {
        for (String cell : new String[] {row.isbn13, row.isbn}) {
            String isbn = Isbn.thirteen(cell);
            Book book = isbn == null ? null : catalog.byIsbn(isbn);
            if (book != null) {
                return book;
            }
        }
        String key = TitleKey.full(row.title);
        if (key.isEmpty()) {
            return null;
        }
        List<Name> authors = namesOf(row.author + ";" + row.additionalAuthors);
        List<Book> equal = catalog.byTitle(key);
        Book book = firstBy(authors, equal);
        if (book != null || !equal.isEmpty()) {
            return book;
        }
        // Once one of the two, never both, has lost its subtitle.
        List<Book> alike = new ArrayList<>(catalog.byTitleWithoutSubtitle(key));
        String shorter = TitleKey.withoutSubtitle(row.title);
        if (shorter != null && !shorter.isEmpty()) {
            alike.addAll(catalog.byTitle(shorter));
        }
        return firstBy(authors, alike);
    }

    private Book firstBy(List<Name> authors, List<Book> books) {
        Book first = null;
        for (Book book : books) {
            if ((first == null || book.id < first.id) && book.authors != null
                    && fit(authors, namesOf(book.authors))) {
                first = book;
            }
        }
        return first;
    }

    private static boolean fit(List<Name> some, List<Name> others) {
        for (Name one : some) {
            for (Name other : others) {
                if (one.fits(other)) {
                    return true;
                }
            }
        }
        return false;
    }

    private List<Name> namesOf(String authors) {
        List<Name> known = names.get(authors);
        if (known == null) {
            known = new ArrayList<>();
            for (String one : authors.split("[,;/&]")) {
                Name name = new Name(one);
                if (!name.words.isEmpty()) {
                    known.add(name);
                }
            }
            names.put(authors, known);
        }
        return known;
    }

    /** A person's name as its words of more than one letter. */
    private static final class Name {
        final Set<String> words = new HashSet<>();
        String last = "";

        Name(String name) {
            for (String word : Arrays.asList(PlainText.of(name).split(" "))) {
                if (word.codePointCount(0, word.length()) > 1) {
                    words.add(word);
                    last = word;
                }
            }
        }

        boolean fits(Name other) {
            return words.equals(other.words) || last.equals(other.last)
                    && (words.containsAll(other.words) || other.words.containsAll(words));
        }
    }
}
