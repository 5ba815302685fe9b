package io.github.kdtf.books;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import android.content.res.Configuration;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.graphics.Color;
import android.view.View;
import java.io.File;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.Assume;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;

/** Pictures of every page: light, dark, with large fonts, in Chinese, from right to left. */
@RunWith(RobolectricTestRunner.class)
public class ScreenshotsTest {
    private static final int BOOKS = 5;
    private static final int PAGES = 14;

    private final File folder = new File(System.getProperty("books.screenshots"));

    @Before
    public void onlyWhereTheRealEngineDraws() {
        Assume.assumeTrue(RuntimeEnvironment.getApiLevel() >= 26);
    }

    @Test
    public void light() throws Exception {
        photograph("light", true);
    }

    @Test
    public void dark() throws Exception {
        RuntimeEnvironment.setQualifiers("+night");
        photograph("dark", false);
    }

    @Test
    public void largeFont() throws Exception {
        RuntimeEnvironment.setFontScale(2);
        photograph("large_font", true);
    }

    @Test
    public void chinese() throws Exception {
        RuntimeEnvironment.setQualifiers("+zh-rCN");
        assertEquals("我的书架",
                RuntimeEnvironment.getApplication().getString(R.string.tab_shelf));
        photograph("chinese", true);
    }

    @Test
    public void rightToLeft() throws Exception {
        RuntimeEnvironment.setQualifiers("+ar-ldrtl");
        Configuration now = RuntimeEnvironment.getApplication().getResources().getConfiguration();
        assertEquals(View.LAYOUT_DIRECTION_RTL, now.getLayoutDirection());
        photograph("right_to_left", true);
    }

    @Test
    public void landscape() throws Exception {
        RuntimeEnvironment.setQualifiers("+w900dp-h600dp-land-mdpi");
        photograph("landscape", true);
    }

    private void photograph(final String variant, final boolean light) throws Exception {
        Phone.waitUntilOpen();
        final Set<String> names = new HashSet<>();
        List<String> shelf = Expected.texts(Expected.read().getJSONArray("shelves")
                .getJSONObject(3).getJSONArray("items")).subList(0, BOOKS);
        Pages.visitAll(shelf, (name, phone) -> {
            File file = new File(folder, variant + "/" + name + ".png");
            phone.photograph(file);
            check(file, light);
            names.add(name);
        });
        assertEquals(PAGES, names.size());
    }

    /** Something is drawn, on the ground of the theme. */
    private static void check(File file, boolean light) {
        Bitmap picture = BitmapFactory.decodeFile(file.getPath());
        Set<Integer> colors = new HashSet<>();
        float luminance = 0;
        int points = 0;
        for (int y = 0; y < picture.getHeight(); y += 4) {
            for (int x = 0; x < picture.getWidth(); x += 4) {
                colors.add(picture.getPixel(x, y));
                luminance += Color.luminance(picture.getPixel(x, y));
                points++;
            }
        }
        assertTrue(file + ": " + colors.size() + " colours", colors.size() > 20);
        assertEquals(file + " is light", light, luminance / points > 0.4);
    }
}
